/** Media as tests see them: what is on them, whether anything changed, and what can be typed from paper. */
import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { run } from './processes.ts';

/** Everything that can be seen of a file or folder: names, kinds, modes, times, contents. */
export const stateOf = (folder: string): string => {
  const hash = createHash('sha256');
  const visit = (path: string): void => {
    const facts = lstatSync(path);
    hash.update(`${path}\0${facts.mode}\0${facts.size}\0${facts.mtimeMs}\0${facts.ctimeMs}\0`);
    if (facts.isSymbolicLink()) hash.update(readlinkSync(path));
    else if (facts.isDirectory()) for (const name of readdirSync(path).toSorted()) visit(join(path, name));
    else if (facts.size < 10_000_000) hash.update(readFileSync(path));
  };
  visit(folder);
  return hash.digest('hex');
};

/** Runs a command that only reads, and checks that it left the medium as it was. */
export const reading = async <T>(medium: string, work: () => Promise<T>): Promise<T> => {
  const before = stateOf(medium);
  const result = await work();
  expect(stateOf(medium)).toBe(before);
  return result;
};

/** Prints a PDF and scans it: one PNG per page, in order. */
export const scan = async (pdf: string, prefix: string, ...options: readonly string[]): Promise<string[]> => {
  expect((await run('pdftoppm', ['-r', '200', '-png', ...options, pdf, prefix])).code).toBe(0);
  const folder = join(prefix, '..');
  return readdirSync(folder)
    .map((file) => join(folder, file))
    .filter((path) => path.startsWith(`${prefix}-`) && path.endsWith('.png'))
    .toSorted();
};

/** The recovery code on a code sheet, as somebody types it. */
export const typedFrom = async (sheet: string): Promise<string> => {
  const text = (await run('pdftotext', ['-layout', sheet, '-'])).stdout;
  const rows = [...text.matchAll(/^ *((?:[A-Z0-9]{4} )+[A-Z0-9]{2,4})$/gm)].map(([, groups]) => groups);
  return `AGE-SECRET-KEY-1 ${rows.join(' ')}`;
};
