import { KeepsetError } from '@keepset/bytes';
import type { CopyEntry, PendingPlace } from '@keepset/places';
import { encodeShareFile, openShareFile, type FileSigner, type OpeningKey } from '@keepset/wire';
import type { ShareVault } from './ports.ts';

/** What a vault of share files needs. */
export interface VaultOptions {
  readonly place: PendingPlace;
  /** age recipient the copies are sealed to, and the identity that opens them. */
  readonly recipient: string;
  readonly openingKey: OpeningKey;
  readonly signer: FileSigner;
  /** The time, as a UTC instant in ISO 8601. */
  readonly now: () => string;
  /**
   * The highest generation of a key that is remembered elsewhere: where the share itself was lost, its next one must not
   * pass for the one that copies were made from. 0 where nothing is.
   */
  readonly lastGeneration?: (keyId: string) => Promise<number>;
}

/** Keeps this device's shares as share files in one place. */
export const shareFileVault = ({
  place,
  recipient,
  openingKey,
  signer,
  now,
  lastGeneration,
}: VaultOptions): ShareVault => ({
  putPending: async (share) => {
    const { keyId, epoch } = share.group;
    const remembered = (await lastGeneration?.(keyId)) ?? 0;
    const generation = Math.max(remembered + 1, nextGeneration(await place.list(), keyId));
    const file = await encodeShareFile(share, { generation, createdAt: now() }, [recipient], signer);
    await place.putPending({ keyId, epoch }, file, { generation });
    return generation;
  },
  promote: (keyId, epoch) => place.promote({ keyId, epoch }),
  discard: (keyId, epoch) => place.discard({ keyId, epoch }),
  retire: async (keyId, epoch) => {
    for (const entry of await place.list())
      if (entry.keyId === keyId && entry.epoch < epoch && entry.state === 'current')
        await place.remove(entry);
  },
  open: async (keyId) => {
    const newest = newestOf(await place.list(), keyId);
    const copy = newest === undefined ? null : await place.get(newest);
    if (copy === null)
      throw new KeepsetError('input/unknown-key', `This device holds no share of key ${keyId}.`);
    const { share } = await openShareFile(copy.bytes, [openingKey], { expectedSigner: signer.publicKey });
    if (share.group.keyId !== keyId)
      throw new KeepsetError('place/foreign', `The copy named ${keyId} holds a share of another key.`);
    return share;
  },
  list: async () => [
    ...new Set((await place.list()).filter(({ state }) => state === 'current').map(({ keyId }) => keyId)),
  ],
});

const nextGeneration = (entries: readonly CopyEntry[], keyId: string): number =>
  1 + Math.max(0, ...entries.filter((entry) => entry.keyId === keyId).map(({ generation }) => generation));

const newestOf = (entries: readonly CopyEntry[], keyId: string): CopyEntry | undefined =>
  entries
    .filter((entry) => entry.keyId === keyId && entry.state === 'current')
    .reduce<CopyEntry | undefined>(
      (best, entry) => (best === undefined || entry.epoch > best.epoch ? entry : best),
      undefined,
    );
