import { createHash } from 'node:crypto';
import { lstat, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { KeepsetError } from '@keepset/bytes';

/**
 * Where a device keeps what no backup may bring back: a folder apart from its home that is gone with the next boot,
 * at the latest when the system tidies up.
 * @param root the device's home, absolute
 */
export const volatilePath = (root: string, environment: NodeJS.ProcessEnv = process.env): string => {
  const runtime = environment['XDG_RUNTIME_DIR'];
  const base =
    runtime === undefined || runtime === ''
      ? join(tmpdir(), `keepset-${process.getuid?.() ?? 'user'}`)
      : join(runtime, 'keepset');
  return join(base, createHash('sha256').update(root).digest('hex').slice(0, 32));
};

/**
 * Makes the folder, and makes sure that nobody else has made its parent: whoever owns that could put used files back.
 * @throws KeepsetError `place/foreign`, `place/unreachable`
 */
export const ensureVolatile = async (path: string): Promise<void> => {
  const parent = dirname(path);
  let isOurs: boolean;
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const facts = await lstat(parent);
    const me = process.getuid?.();
    isOurs = facts.isDirectory() && (me === undefined || (facts.uid === me && (facts.mode & 0o077) === 0));
  } catch (cause) {
    throw new KeepsetError('place/unreachable', `${path} cannot be used.`, { cause });
  }
  if (!isOurs)
    throw new KeepsetError('place/foreign', `${parent} belongs to somebody else, or others may enter it.`, {
      hint: 'Remove it, or set XDG_RUNTIME_DIR to a private folder that is in no backup.',
    });
};
