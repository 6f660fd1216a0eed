import { join } from 'node:path';
import { fromHex, toHex } from '@keepset/bytes';
import type { OpenSession, SessionJournal } from '@keepset/ceremony';
import { listIfThere, removeDurably, writeDurably } from './files.ts';

const pattern =
  /^([0-9a-f]{64})\.(keygen|refresh|reshare|repair)\.([a-z2-7]{26})\.(0|[1-9]\d{0,15})(\.leaves)?$/;

/** Open sessions as one empty file each: all that is known stands in its name, so there is nothing that could rot. */
export const fileJournal = (folder: string): SessionJournal => ({
  add: (entry) => writeDurably(join(folder, nameOf(entry)), ''),
  remove: async (session) => {
    for (const name of await listIfThere(folder))
      if (name.startsWith(`${toHex(session)}.`)) await removeDurably(join(folder, name));
  },
  list: async () => (await listIfThere(folder)).flatMap(readName),
});

const nameOf = ({ session, kind, keyId, epoch, leaves = false }: OpenSession): string =>
  `${toHex(session)}.${kind}.${keyId}.${epoch}${leaves ? '.leaves' : ''}`;

const readName = (name: string): OpenSession[] => {
  const [, session, kind, keyId, epoch, leaves] = pattern.exec(name) ?? [];
  if (session === undefined || keyId === undefined) return [];
  return [
    {
      session: fromHex(session),
      kind: kind as OpenSession['kind'],
      keyId,
      epoch: Number(epoch),
      ...(leaves === undefined ? {} : { leaves: true }),
    },
  ];
};
