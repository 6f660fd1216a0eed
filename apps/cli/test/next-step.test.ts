import { expect, it } from 'vitest';
import { errorCodes } from '@keepset/bytes';
import { commandNames } from '../src/commands/registry.ts';
import { main } from '../src/main.ts';
import { nextStep } from '../src/terminal/next-step.ts';
import { silentTerminal } from '../../../tests/support/device.ts';

it('there is one for every error, and it names only commands that there are', () => {
  for (const code of errorCodes) {
    const step = nextStep(code, 'seal');
    expect(step, code).toMatch(/\.$/);
    for (const [, command = ''] of step.matchAll(/keepset ([a-z][a-z-]*)/g))
      expect(commandNames).toContain(command);
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
