/**
 * File names in a file place: `KEYID.EPOCH.GENERATION.age`, and `….pending.age` for a pending copy. The generation
 * stands in the name so that a new copy never overwrites the newest one and an older one is refused unopened.
 */
import type { CopyEntry, CopyName } from '../port.ts';

const pattern = /^([a-z2-7]{26})\.(0|[1-9]\d{0,15})\.(0|[1-9]\d{0,15})(\.pending)?\.age$/;

/** The name of a copy's file. */
export const fileNameOf = ({ keyId, epoch, generation, state }: CopyEntry): string =>
  `${keyId}.${epoch}.${generation}${state === 'pending' ? '.pending' : ''}.age`;

/** The copy a file name stands for, or null for a file of somebody else. */
export const parseFileName = (file: string): CopyEntry | null => {
  const [, keyId, epochText, generationText, pending] = pattern.exec(file) ?? [];
  if (keyId === undefined) return null;
  const epoch = Number(epochText);
  const generation = Number(generationText);
  if (!Number.isSafeInteger(epoch) || !Number.isSafeInteger(generation)) return null;
  return { keyId, epoch, generation, state: pending === undefined ? 'current' : 'pending' };
};

const temporaryPrefix = ({ keyId, epoch }: CopyName): string => `.${keyId}.${epoch}.`;

/** Name of a file that is being written. */
export const temporaryNameOf = (name: CopyName, random: string): string =>
  `${temporaryPrefix(name)}${random}.tmp`;

/** Whether the file was left by a write of this copy that was cut off. */
export const isTemporaryOf = (name: CopyName, file: string): boolean =>
  file.startsWith(temporaryPrefix(name)) &&
  /^[0-9a-f]{16}\.tmp$/.test(file.slice(temporaryPrefix(name).length));
