/** What all commands have in common: help, --json, exit codes, and output that cannot deceive. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { exitCodes } from '@keepset/bytes';
import { onlyObject } from '../../../tests/support/processes.ts';
import { temporaryFolder } from '../../../tests/support/folders.ts';
import { commandNames, loadCommand } from '../src/commands/registry.ts';
import { main } from '../src/index.ts';
import { terminalFor } from '../src/terminal/terminal.ts';

let stdout = '';
let stderr = '';
beforeEach(() => {
  stdout = '';
  stderr = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

it.each(['--version', '-V'])('says its version (%s)', async (flag) => {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  expect(await main([flag])).toBe(0);
  expect(stdout).toBe(`keepset ${version}, on Node ${process.version}\n`);
  stdout = '';
  expect(await main([flag, '--json'])).toBe(0);
  expect(onlyObject(stdout)).toEqual({ version, node: process.version });
});

it.each([
  ['refesh', 'Do you mean: refresh?'],
  ['heal', 'Do you mean: health?'],
  ['re', 'Do you mean: revoke, refresh, reshare, repair, recover, remember?'],
  ['frobnicate', 'See `keepset --help`.'],
])('names the commands that %s may stand for', async (name, hint) => {
  expect(await main([name])).toBe(exitCodes.input);
  expect(stderr).toContain(hint);
});

describe('help', () => {
  it.each([[], ['--help'], ['-h'], ['help']])('overall (%s)', async (...args) => {
    expect(await main(args)).toBe(0);
    for (const name of commandNames) expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
    for (const [family, code] of Object.entries(exitCodes)) expect(stdout).toContain(`${code} ${family}`);
    expect(stderr).toBe('');
  });

  it.each(commandNames)('of %s: usage, every option, examples', async (name) => {
    const command = await loadCommand(name);
    expect(command.name).toBe(name);
    for (const flag of ['--help', '-h']) {
      stdout = '';
      expect(await main([name, flag])).toBe(0);
      expect(stdout).toContain(`Usage: keepset ${name}`);
      expect(stdout.indexOf(command.summary)).toBe(0);
      expect(stdout).toContain('Examples:');
      for (const option of [...Object.keys(command.options), 'json', 'help'])
        expect(stdout).toContain(`--${option}`);
      expect(command.examples.length).toBeGreaterThan(0);
      for (const example of command.examples) expect(stdout).toContain(example);
    }
    expect(stderr).toBe('');
  });

  it.each(commandNames)('of %s as JSON is one object', async (name) => {
    expect(await main([name, '--help', '--json'])).toBe(0);
    expect(onlyObject(stdout)).toMatchObject({ command: name });
  });

  it.each(commandNames)('of %s gives only examples whose options it has', async (name) => {
    const { examples, options } = await loadCommand(name);
    const known = [...Object.keys(options), 'json', 'help'].map((option) => `--${option}`);
    for (const example of examples)
      for (const line of example.split('|').filter((part) => part.includes(`keepset ${name}`)))
        for (const [option] of line.matchAll(/--[a-z][a-z-]*/g)) expect(known, example).toContain(option);
  });
});

describe('mistakes', () => {
  it.each(commandNames)('%s with an option it does not have', async (name) => {
    expect(await main([name, '--frobnicate'])).toBe(2);
    expect(stderr).toContain('[input/invalid-argument]');
    expect(stderr).toContain(`keepset ${name} --help`);
    expect(stdout).toBe('');
  });

  it.each(commandNames)('%s with far too many arguments', async (name) => {
    expect(await main([name, ...Array<string>(20).fill('x')])).toBe(2);
    expect(stdout).toBe('');
  });

  it.each(commandNames)('%s as JSON: one object, and nothing else', async (name) => {
    expect(await main([name, '--frobnicate', '--json'])).toBe(2);
    expect(onlyObject(stdout)).toMatchObject({ error: { code: 'input/invalid-argument', retry: 'never' } });
    expect(stderr).toBe('');
  });

  it('a command there is not', async () => {
    expect(await main(['constructor'])).toBe(2);
    expect(await main(['__proto__', '--json'])).toBe(2);
    expect(stderr).toContain('There is no command constructor');
  });

  it('every command that needs a device says so where there is none', async () => {
    const home = temporaryFolder();
    for (const name of ['keygen', 'keys', 'show', 'add-device'] as const) {
      stdout = '';
      expect(await main([name, '--home', home, '--json'])).toBe(2);
      expect(onlyObject(stdout)).toMatchObject({ error: { code: 'input/not-enrolled' } });
    }
  });
});

describe('output', () => {
  const evil = 'a\u001b[2Jb\u202ec\u0007d\re\u0085f\u2066g\u009bh';

  it('has no control characters, bidirectional marks or line ends that somebody else chose', () => {
    const terminal = terminalFor(false);
    terminal.result({}, [evil]);
    terminal.note(evil);
    for (const text of [stdout, stderr]) expect(text).toMatch(/^[\u0020-\u007e\ufffd]*\n$/);
  });

  it('as JSON is the data as it is, on one line', () => {
    terminalFor(true).result({ evil: `${evil}\n` }, ['not shown']);
    expect(stdout.trimEnd()).not.toContain('\n');
    expect(onlyObject(stdout)).toEqual({ evil: `${evil}\n` });
  });

  it('of errors is as harmless: what the message quotes cannot act', async () => {
    await main([evil]);
    expect(stderr).toMatch(/^[\u0020-\u007e\ufffd\n]*$/);
  });

  it('shows progress to people only', () => {
    terminalFor(true).progress({ step: 1, of: 2, text: 'x' });
    expect(stderr).toBe('');
    terminalFor(false).progress({ step: 1, of: 2, text: 'x' });
    expect(stderr).toContain('1/2  x');
  });
});
