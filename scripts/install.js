// Installs the project's packages when they are missing or out of date. Plain JavaScript for any Node from 18 on.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npm } from '../runtime/handover.js';

export const root = fileURLToPath(new URL('..', import.meta.url));

const stamp = join(root, 'node_modules', '.keepset-lock');
const lockHash = () =>
  createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');

/** Makes node_modules fit package-lock.json; returns at once when it does. */
export const ensureInstalled = () => {
  const hash = lockHash();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  process.stderr.write('Installing packages…\n');
  try {
    npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], root);
  } catch {
    // npm has said why on standard error.
    process.stderr.write('The packages could not be installed. Is the package registry reachable?\n');
    process.exit(1);
  }
  writeFileSync(stamp, hash);
};
