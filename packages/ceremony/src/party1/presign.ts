import { KeepsetError, toHex } from '@keepset/bytes';
import { protocolFor, type Presignature } from '@keepset/threshold';
import type { PresignStart } from '@keepset/wire';
import { commitChange, type ActSubject } from './commit.ts';
import type { StepContext } from './handler.ts';
import type { Opened } from './open.ts';
import { openKey, refuseBanned } from './rules.ts';

/**
 * Party 1's halves of presignatures. They are kept in memory and nowhere else: neither a backup of the database nor a
 * restart can bring back one that was used, and an unused one is lost with the process, which costs a little work.
 */
export interface PresignatureStore {
  /** @throws KeepsetError `transport/overloaded` when the tenant has too many. */
  put(tenant: string, presignature: Presignature): void;
  /** Hands one out and forgets it. @throws KeepsetError `store/session-burned` when there is none of that id. */
  take(tenant: string, id: Uint8Array): Presignature;
}

const perTenant = 256;

export const presignatureStore = (): PresignatureStore => {
  const tenants = new Map<string, Map<string, Presignature>>();
  return {
    put: (tenant, presignature) => {
      const kept = tenants.get(tenant) ?? new Map<string, Presignature>();
      // Those of an earlier epoch can serve no more, and must not take up the room.
      for (const [id, { keyId, epoch, secret }] of kept)
        if (keyId === presignature.keyId && epoch < presignature.epoch) {
          secret.wipe();
          kept.delete(id);
        }
      if (kept.size >= perTenant)
        throw new KeepsetError('transport/overloaded', 'Too many presignatures are kept here already.');
      tenants.set(tenant, kept.set(toHex(presignature.id), presignature));
    },
    take: (tenant, id) => {
      const kept = tenants.get(tenant);
      const presignature = kept?.get(toHex(id));
      if (presignature === undefined)
        throw new KeepsetError(
          'store/session-burned',
          'This presignature was used, or went with a restart of the server.',
          {
            hint: 'Sign without it, or make new ones with `keepset presign`.',
          },
        );
      kept?.delete(toHex(id));
      return presignature;
    },
  };
};

/** The two rounds that run before a message is known. Party 1 keeps its half once the device has what it needs. */
export const openPresign = async (
  context: StepContext,
  start: PresignStart,
): Promise<Opened<Presignature>> => {
  const { party1, request, presignatures } = context;
  const { quorum, path, keyId, epoch } = start;
  await refuseBanned(context, start, quorum);
  const share = await openKey(context, start);
  const { presigning } = protocolFor(share.group.scheme);
  if (presigning === undefined || quorum.length !== 2 || !quorum.includes(party1.party)) {
    share.secret.wipe();
    throw new KeepsetError(
      'input/unsupported',
      'Presignatures are made by this server and one device, for ECDSA keys.',
    );
  }
  const subject: ActSubject = { kind: 'presign', keyId, epoch };
  return {
    machine: presigning.startPresign({
      share,
      session: request.session,
      quorum,
      path,
      ...(party1.rng === undefined ? {} : { rng: party1.rng }),
    }),
    devices: quorum.filter((party) => party !== party1.party),
    conclude: (state) => {
      if (state.status !== 'done') return undefined;
      return async (last, answer) => {
        const bytes = await commitChange(last, subject, { kind: 'keep' }, answer);
        presignatures.put(last.caller.tenant, state.result);
        share.secret.wipe();
        return bytes;
      };
    },
    abandon: () => share.secret.wipe(),
  };
};
