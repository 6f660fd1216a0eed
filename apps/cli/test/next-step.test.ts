import { readFileSync, readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { errorCodes } from '@keepset/bytes';
import { commandNames, loadCommand } from '../src/commands/registry.ts';
import { main } from '../src/main.ts';
import { nextStep } from '../src/terminal/next-step.ts';
import { silentTerminal } from '../../../tests/support/device.ts';

it('there is one for every error, and it claims nothing that the error does not show', () => {
  for (const code of errorCodes) {
    const step = nextStep(code, 'seal');
    expect(step, code).toMatch(/\.$/);
    // Others may have finished with what this device sent, and a server that fails may have done its part.
    if (/^(abort|store|transport)\//.test(code))
      expect(step, code).not.toMatch(
        /\b(nothing|none|no \w+|never|not) (was|were|is|has been|have been|yet)\b.*(made|signed|sent|opened|done|changed)/i,
      );
  }
});

/** What stands in backquotes in the sources: hints and other texts, those of templates included. */
const quoted = function* (): Generator<readonly [file: string, command: string]> {
  const root = new URL('../../../', import.meta.url);
  for (const top of ['apps/', 'packages/'])
    for (const file of readdirSync(new URL(top, root), { recursive: true, encoding: 'utf8' }))
      if (/^[a-z]+\/src\/.*\.ts$/.test(file))
        for (const [, text = ''] of readFileSync(new URL(`${top}${file}`, root), 'utf8').matchAll(
          /`keepset ((?:\$\{[^}]*\}|[^`\\])+)\\?`/g,
        ))
          yield [`${top}${file}`, text];
};

it('every command that a text names is there, and has the options that it is named with', async () => {
  const said = [...quoted()];
  expect(said.length).toBeGreaterThan(100);
  for (const [file, text] of said) {
    const [, name = ''] = /^([a-z][a-z-]*)/.exec(text) ?? [];
    const options = [...text.matchAll(/--([a-z][a-z-]*)/g)].map(([, option]) => option);
    if (name === '') continue;
    const known = commandNames.find((command) => command === name);
    expect(known, `${file}: keepset ${text}`).toBeDefined();
    if (known === undefined) continue;
    const { options: has } = await loadCommand(known);
    for (const option of options)
      expect([...Object.keys(has), 'help', 'json'], `${file}: keepset ${text}`).toContain(option);
  }
});

it('is said of an error that names none of its own, and not of one that does', async () => {
  const said = async (...args: readonly string[]): Promise<string> => {
    const notes: string[] = [];
    const terminal = { ...silentTerminal, json: false, note: (text: string) => notes.push(text) };
    expect(await main(args, terminal)).toBe(2);
    return notes.join('\n');
  };
  expect(await said('seal', 'x', '--key', 'a', '--to', 'b')).toBe(
    'error: Give --key or --to, not both.  [input/invalid-argument]\n  See `keepset seal --help`.',
  );
  expect(await said('frobnicate')).not.toContain('keepset frobnicate');
});
