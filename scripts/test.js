// npm test: installs all that the tests need, then runs them. Plain JavaScript for any Node from 18 on.
// Arguments go to the test runner: `npm test -- packages/wire`.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runModern } from '../runtime/handover.js';
import { ensureInstalled, root } from './install.js';
import { ensureSystemTools } from './system-tools.js';

ensureInstalled();
ensureSystemTools();

const folder = mkdtempSync(join(tmpdir(), 'keepset-test-'));
const report = join(folder, 'report.json');
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const code = await runModern([
  vitest,
  'run',
  '--root',
  root,
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${report}`,
  ...process.argv.slice(2),
]);

try {
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, 'utf8'));
  process.stdout.write(`${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped\n`);
} catch {
  process.stdout.write('The test runner wrote no report.\n');
}
rmSync(folder, { recursive: true, force: true });
process.exitCode = code;
