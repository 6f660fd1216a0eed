import { KeepsetError, encodeCbor } from '@keepset/bytes';
import { decodeKeyShare, encodeKeyShare, type ShareSealer } from '@keepset/ceremony';
import { openEnvelope, sealEnvelope, type KekProvider } from './kek.ts';

/** Seals Party 1's shares; a sealed share opens only for the tenant, key, party and epoch it was sealed for. */
export const shareSealer = (kek: KekProvider, party: string): ShareSealer => {
  const context = (tenant: string, keyId: string, epoch: number): Uint8Array =>
    encodeCbor({ what: 'share', tenant, keyId, party, epoch });
  return {
    seal: async (tenant, share) => {
      const plaintext = encodeKeyShare(share);
      try {
        return await sealEnvelope(kek, plaintext, context(tenant, share.group.keyId, share.group.epoch));
      } finally {
        plaintext.fill(0);
      }
    },
    open: async (tenant, { group, sealedShare }) => {
      if (sealedShare === undefined)
        throw new KeepsetError('bug/invariant', `There is no share of key ${group.keyId} here.`);
      const plaintext = await openEnvelope(kek, sealedShare, context(tenant, group.keyId, group.epoch));
      try {
        return decodeKeyShare(plaintext);
      } finally {
        plaintext.fill(0);
      }
    },
  };
};
