import { join } from 'node:path';
import * as v from 'valibot';
import {
  KeepsetError,
  decodeAs,
  encodeCbor,
  toHex,
  bytesOfLength,
  integerBetween,
  type Schema,
} from '@keepset/bytes';
import type { OpenSession, SessionJournal } from '@keepset/ceremony';
import { keyIdText } from '@keepset/wire';
import { listIfThere, readIfThere, removeDurably, writeDurably } from './files.ts';

const entrySchema: Schema<OpenSession> = v.strictObject({
  session: bytesOfLength(32),
  kind: v.picklist(['keygen', 'refresh', 'reshare', 'repair']),
  keyId: keyIdText,
  epoch: integerBetween(0, Number.MAX_SAFE_INTEGER),
});

/** Open sessions as one small file each. */
export const fileJournal = (folder: string): SessionJournal => {
  const pathOf = (session: Uint8Array): string => join(folder, `${toHex(session)}.cbor`);
  return {
    add: (entry) => writeDurably(pathOf(entry.session), encodeCbor({ ...entry })),
    remove: (session) => removeDurably(pathOf(session)),
    list: async () => {
      const names = (await listIfThere(folder)).filter((name) => /^[0-9a-f]{64}\.cbor$/.test(name));
      const entries = await Promise.all(names.map((name) => readEntry(join(folder, name))));
      return entries.filter((entry) => entry !== undefined);
    },
  };
};

const readEntry = async (path: string): Promise<OpenSession | undefined> => {
  const bytes = await readIfThere(path);
  if (bytes === undefined) return undefined;
  try {
    return decodeAs(entrySchema, bytes, 'journal entry');
  } catch (cause) {
    throw new KeepsetError('place/damaged', `The journal entry ${path} is damaged.`, { cause });
  }
};
