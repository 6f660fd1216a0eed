/** A Finder backup with share files in it, of which tests hurt copies. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { makeBackup, modernDialect, type FileInBackup } from './backup-maker.ts';
import { makeWriter, type Writer } from './shares.ts';

/** Folder of the backups; gone when the test file has ended. */
export const root: string = mkdtempSync(join(tmpdir(), 'keepset-finder-'));
afterAll(() => rmSync(root, { recursive: true }));

export const password = 'finder pässword';
export const domain = 'AppDomain-org.example.keepset';
/** Of the share file that tests hurt. */
export const path = 'Documents/shares/copy.age';

/** Whose share it is. */
export const writer: Writer = await makeWriter();
export const share: Uint8Array = await writer.write(1);
/** Two copies of the share, and four files that are none. */
export const contents: readonly FileInBackup[] = [
  { domain, path, content: share },
  { domain, path: 'Documents/shares/complete.age', content: share, protectionClass: 1 },
  { domain, path: 'Documents/notes.txt', content: Buffer.from('hello') },
  { domain, path: 'Documents/other.age', content: Buffer.from('not an age file at all') },
  { domain, path: 'Documents/folder.age', content: Buffer.alloc(0), flags: 2 },
  { domain: 'HomeDomain', path: 'Library/x.plist', content: Buffer.alloc(100) },
];

/** The backup that stays as it is. */
export const standard: string = join(root, 'standard');
makeBackup(standard, password, modernDialect, contents);

let copied = 0;
/** A copy of the standard backup that a test may hurt. */
export const fresh = (): string => {
  const folder = join(root, `copy${(copied += 1)}`);
  cpSync(standard, folder, { recursive: true });
  return folder;
};
