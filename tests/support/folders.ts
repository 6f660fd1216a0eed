import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

/** The project's root folder. */
export const projectRoot: string = fileURLToPath(new URL('../..', import.meta.url));

const made: string[] = [];

/** A fresh folder that is gone when the test file has ended. */
export const temporaryFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'keepset-test-'));
  made.push(folder);
  return folder;
};

afterAll(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** All files in a folder and in those in it. */
export const filesIn = (folder: string): readonly string[] =>
  existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true, recursive: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
    : [];

/** SHA-256 of every file in these folders, in hex. */
export const hashesOf = (...folders: readonly string[]): ReadonlySet<string> =>
  new Set(
    folders.flatMap(filesIn).map((path) => createHash('sha256').update(readFileSync(path)).digest('hex')),
  );

/** A folder on another medium than the temporary folder, gone when the test file has ended. */
export const otherMedium = (): string => {
  const found = ['/dev/shm', '/run', '/var/tmp', '/Volumes'].find(
    (folder) => existsSync(folder) && statSync(folder).dev !== statSync(tmpdir()).dev && isWritable(folder),
  );
  if (found === undefined) throw new Error('this test needs a second file system, such as /dev/shm');
  const folder = mkdtempSync(join(found, 'keepset-test-'));
  made.push(folder);
  return folder;
};
const isWritable = (folder: string): boolean => {
  try {
    rmSync(mkdtempSync(join(folder, 'keepset-test-')), { recursive: true });
    return true;
  } catch {
    return false;
  }
};
