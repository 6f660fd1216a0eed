/** spec/coverage.md says what the tags in the source say. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectRoot, temporaryFolder } from '../support/folders.ts';

test('the coverage page is the one the source makes', () => {
  const made = join(temporaryFolder(), 'coverage.md');
  execFileSync(process.execPath, [join(projectRoot, 'scripts', 'spec-coverage.js'), made]);
  expect(readFileSync(join(projectRoot, 'spec', 'coverage.md'), 'utf8')).toBe(readFileSync(made, 'utf8'));
});
