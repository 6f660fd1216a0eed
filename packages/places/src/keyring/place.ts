/**
 * Copies in the desktop's keyring. A keyring cannot list safely, so one item is the index. It is written before a copy
 * and after a removal: it may name a copy that is not there, never the other way round.
 */
import * as v from 'valibot';
import { KeepsetError, bytesEqual, fromBase64, parseAs, toBase64, type Schema } from '@keepset/bytes';
import { byName, checkCopy, checkName, checkRead, healthOf, refuseOlder, sameGeneration } from '../copy.ts';
import type { CopyEntry, CopyName, SharePlace, StoredCopy } from '../port.ts';
import { propertiesOf } from '../properties.ts';
import type { Keyring } from './port.ts';

interface Index {
  readonly names: readonly { readonly keyId: string; readonly epoch: number }[];
}
const indexSchema: Schema<Index> = v.strictObject({
  names: v.array(
    v.strictObject({
      keyId: v.pipe(v.string(), v.regex(/^[a-z2-7]{26}$/)),
      epoch: v.pipe(v.number(), v.safeInteger()),
    }),
  ),
});
const indexAccount = 'index';
const accountOf = ({ keyId, epoch }: CopyName): string => `share.${keyId}.${epoch}`;
const isSame = (a: CopyName, b: CopyName): boolean => a.keyId === b.keyId && a.epoch === b.epoch;

/** Copies in a keyring. */
export const keyringPlace = (keyring: Keyring): SharePlace => {
  const readIndex = async (): Promise<Index> => {
    const text = await keyring.get(indexAccount);
    if (text === null) return { names: [] };
    try {
      return parseAs(indexSchema, JSON.parse(text), 'keyring index', 'place/damaged');
    } catch (cause) {
      throw new KeepsetError('place/damaged', 'The index in the keyring is damaged.', { cause });
    }
  };
  const writeIndex = (names: Index['names']): Promise<void> =>
    keyring.set(indexAccount, JSON.stringify({ names: names.map(({ keyId, epoch }) => ({ keyId, epoch })) }));

  /** `GENERATION:BASE64` */
  const read = async (name: CopyName): Promise<StoredCopy | null> => {
    const text = await keyring.get(accountOf(name));
    if (text === null) return null;
    const [, generation, encoded] = /^(0|[1-9]\d{0,15}):([A-Za-z0-9+/=]*)$/.exec(text.trim()) ?? [];
    if (generation === undefined || encoded === undefined)
      throw new KeepsetError('place/damaged', 'The copy in the keyring is damaged.');
    try {
      return { generation: Number(generation), bytes: fromBase64(encoded) };
    } catch (cause) {
      throw new KeepsetError('place/damaged', 'The copy in the keyring is damaged.', { cause });
    }
  };
  const get = async (name: CopyName): Promise<StoredCopy | null> => {
    checkName(name);
    const copy = await read(name);
    if (copy !== null) checkRead(copy.bytes);
    return copy;
  };
  const orNull = (error: unknown): null => {
    if (error instanceof KeepsetError && error.code === 'place/damaged') return null;
    throw error;
  };

  return {
    kind: 'keyring',
    describe: () => propertiesOf('keyring'),
    get,
    put: async (name, bytes, meta) => {
      checkCopy(name, bytes, meta);
      const before = await read(name).catch(orNull);
      if (before !== null) {
        refuseOlder(meta.generation, before.generation);
        const alike = bytesEqual(before.bytes, bytes);
        if (meta.generation === before.generation && !alike) throw sameGeneration(meta.generation);
      }
      const { names } = await readIndex();
      if (!names.some((known) => isSame(known, name))) await writeIndex([...names, name]);
      await keyring.set(accountOf(name), `${meta.generation}:${toBase64(bytes)}`);
      const after = await read(name);
      if (after === null || !bytesEqual(after.bytes, bytes))
        throw new KeepsetError('place/damaged', 'The copy does not read back as it was written.');
    },
    list: async () => {
      const entries: CopyEntry[] = [];
      for (const { keyId, epoch } of (await readIndex()).names) {
        const copy = await read({ keyId, epoch }).catch(orNull);
        if (copy !== null) entries.push({ keyId, epoch, generation: copy.generation, state: 'current' });
      }
      return entries.sort(byName);
    },
    remove: async (name) => {
      checkName(name);
      await keyring.remove(accountOf(name));
      const { names } = await readIndex();
      if (names.some((known) => isSame(known, name)))
        await writeIndex(names.filter((known) => !isSame(known, name)));
    },
    health: (name) => healthOf(name, get),
  };
};
