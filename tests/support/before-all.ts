/** Before any test: makes the command as it is released, which the tests run, and settles what chance is for this run. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');

export default (): void => {
  process.env['KEEPSET_SEED'] ??= commit();
  execFileSync(process.execPath, [join(root, 'scripts', 'bundle.js')], { stdio: 'inherit' });
};

const commit = (): string => {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return 'not a clone';
  }
};
