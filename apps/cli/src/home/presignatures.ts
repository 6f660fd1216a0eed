import { join } from 'node:path';
import { KeepsetError, toHex } from '@keepset/bytes';
import {
  decodePresignature,
  encodePresignature,
  type Presignature,
  type PresignatureShelf,
  type PresignatureUse,
} from '@keepset/ceremony';
import { openAge, sealAge, type OpeningKey } from '@keepset/wire';
import { claimDurably, listIfThere, readIfThere, writeDurably } from './files.ts';
import { ensureVolatile } from './volatile.ts';

const namePattern = /^([a-z2-7]{26})\.(\d+)\.[0-9a-f]{64}\.age$/;

/** What a shelf of presignature files needs. */
export interface ShelfOptions {
  /** One that no backup brings back, see {@link ensureVolatile}. */
  readonly folder: string;
  readonly recipient: string;
  readonly openingKey: OpeningKey;
  /** Told of a file that cannot be read as what it should be. It is removed: signing goes on without it. */
  readonly onDamaged: (path: string) => void;
}

/** Presignatures as one sealed file each. A file is gone for good before its content is used. */
export const filePresignatures = ({
  folder,
  recipient,
  openingKey,
  onDamaged,
}: ShelfOptions): PresignatureShelf => ({
  put: async (presignature) => {
    await ensureVolatile(folder);
    const plain = encodePresignature(presignature);
    const sealed = await sealAge(plain.reveal(), [recipient]);
    plain.wipe();
    presignature.secret.wipe();
    const name = `${presignature.keyId}.${presignature.epoch}.${toHex(presignature.id)}.age`;
    await writeDurably(join(folder, name), sealed);
  },
  take: async (use) => {
    const names = await listIfThere(folder);
    if (names.length > 0) await ensureVolatile(folder);
    for (const name of names) {
      const [, keyId, epoch] = namePattern.exec(name) ?? [];
      if (keyId !== use.keyId) continue;
      const path = join(folder, name);
      const sealed = Number(epoch) === use.epoch ? await readIfThere(path) : undefined;
      const presignature = sealed === undefined ? undefined : await openSealed(sealed, openingKey);
      if (presignature !== undefined && !fits(presignature, use)) {
        presignature.secret.wipe();
        continue;
      }
      // Those of another epoch and damaged ones are worth nothing and go too. Another process may have read this one as
      // well: it belongs to whoever removes it.
      const isMine = await claimDurably(path);
      if (presignature === undefined) {
        if (isMine && sealed !== undefined) onDamaged(path);
        continue;
      }
      if (isMine) return presignature;
      presignature.secret.wipe();
    }
    return undefined;
  },
});

/** Destroys those of a key that are for shares older than `epoch`. @returns how many there were */
export const discardOldPresignatures = async (
  folder: string,
  keyId: string,
  epoch: number,
): Promise<number> => {
  let count = 0;
  for (const name of await listIfThere(folder)) {
    const [, of, made] = namePattern.exec(name) ?? [];
    if (of === keyId && Number(made) < epoch && (await claimDurably(join(folder, name)))) count += 1;
  }
  return count;
};

/** The presignature, or undefined for anything that is none. */
const openSealed = async (sealed: Uint8Array, openingKey: OpeningKey): Promise<Presignature | undefined> => {
  try {
    return decodePresignature(await openAge(sealed, [openingKey]));
  } catch (error) {
    if (error instanceof KeepsetError) return undefined;
    throw error;
  }
};

const fits = (presignature: Pick<PresignatureUse, 'quorum' | 'path'>, use: PresignatureUse): boolean =>
  presignature.quorum.join() === use.quorum.join() && presignature.path.join() === use.path.join();
