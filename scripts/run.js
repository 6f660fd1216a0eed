// Development tasks (npm run check, bench, bundle, lint, typecheck, format), on a modern Node whatever the user's is.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { npm, runModern } from '../runtime/handover.js';
import { ensureInstalled, root } from './install.js';

const tool = (name, entry) => join(root, 'node_modules', name, entry);
const prettier = tool('prettier', 'bin/prettier.cjs');
const steps = {
  format: [[prettier, '--write', '--log-level=warn', '.']],
  typecheck: [[tool('typescript', 'bin/tsc'), '-b']],
  lint: [[tool('oxlint', 'bin/oxlint'), '--deny-warnings']],
};
const tasks = {
  ...steps,
  bundle: [[join(root, 'scripts', 'bundle.js')]],
  check: [
    ...steps.typecheck,
    ...steps.lint,
    [prettier, '--check', '--log-level=warn', '.'],
    [tool('knip', 'bin/knip.js'), '--no-config-hints'],
  ],
};

const runAll = async (commands) => {
  for (const command of commands) {
    const code = await runModern(command);
    if (code !== 0) return code;
  }
  return 0;
};

const bench = (name, ...rest) => {
  const folder = join(root, 'benchmarks');
  const names = readdirSync(folder)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.slice(0, -3));
  if (name === undefined || !existsSync(join(folder, `${name}.ts`))) {
    process.stderr.write(`Usage: npm run bench -- NAME [--json]\nBenchmarks: ${names.join(', ')}\n`);
    return 2;
  }
  if (name === 'ecdsa' && rest.every((option) => option === '--json'))
    fetchYardstick(join(folder, 'yardstick'));
  return runModern([join(folder, `${name}.ts`), ...rest]);
};

/** What the ECDSA benchmark compares with. Nothing depends on it, so it is fetched for this benchmark alone. */
const fetchYardstick = (folder) => {
  if (existsSync(join(folder, 'node_modules'))) return;
  process.stderr.write(
    'Fetching a package to compare with, under a non-commercial licence of its own (--alone does without)…\n',
  );
  try {
    npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], folder);
  } catch {
    process.stderr.write('It could not be fetched: there will be no ratios.\n');
  }
};

const [task, ...rest] = process.argv.slice(2);
ensureInstalled();
if (task === 'bench') process.exitCode = await bench(...rest);
else if (task !== undefined && Object.hasOwn(tasks, task)) process.exitCode = await runAll(tasks[task]);
else {
  process.stderr.write(`Tasks: bench, ${Object.keys(tasks).join(', ')}\n`);
  process.exitCode = 2;
}
