import { join } from 'node:path';
import type { BanList } from '@keepset/ceremony';
import { listIfThere, writeDurably } from './files.ts';

const namePattern = /^([a-z2-7]{26})\.(\d+)\.([a-z][a-z0-9-]*)$/;

/** Bans as one empty file each. */
export const fileBans = (folder: string): BanList => ({
  add: ({ keyId, epoch, party }) => writeDurably(join(folder, `${keyId}.${epoch}.${party}`), ''),
  list: async (keyId, epoch) =>
    (await listIfThere(folder)).flatMap((name) => {
      const [, key, at, party] = namePattern.exec(name) ?? [];
      return party !== undefined && key === keyId && Number(at) === epoch ? [party] : [];
    }),
});
