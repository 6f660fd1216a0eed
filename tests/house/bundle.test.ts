/** The released command: one folder that needs nothing but Node. */
import { cpSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { filesIn, projectRoot, temporaryFolder } from '../support/folders.ts';
import { bin, checkoutBin, run } from '../support/processes.ts';

interface Package {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const readPackage = (path: string): Package => JSON.parse(readFileSync(path, 'utf8')) as Package;
const packages: readonly Package[] = ['packages', 'apps'].flatMap((folder) =>
  readdirSync(join(projectRoot, folder)).map((name) =>
    readPackage(join(projectRoot, folder, name, 'package.json')),
  ),
);

it('has the one version that all packages have', async () => {
  const { stdout } = await run(process.execPath, [bin, '--version', '--json']);
  const { version } = JSON.parse(stdout) as { version: string };
  const versions = [readPackage(join(projectRoot, 'package.json')), ...packages].map((one) => one.version);
  expect(new Set(versions)).toEqual(new Set([version]));
  expect(readPackage(join(dirname(bin), 'package.json'))).toMatchObject({ name: 'keepset', version });
  // For everybody to start, whoever unpacked it.
  expect([dirname(bin), bin].map((path) => statSync(path).mode & 0o777)).toEqual([0o755, 0o755]);
});

it.each([
  ['as it is released', bin],
  ['in a checkout', checkoutBin],
])('reads no code from a folder that others can write to, %s', async (_, command) => {
  const [shared, home] = [temporaryFolder(), temporaryFolder()];
  const env = { TMPDIR: shared, TMP: shared, TEMP: shared, HOME: home, NODE_COMPILE_CACHE: '' };
  expect(
    await run(process.execPath, [command, 'quickstart', '--once', '--json'], { cwd: home, env }),
  ).toMatchObject({ code: 0 });
  expect(readdirSync(shared)).toEqual([]);
});

it('makes a key, signs with it and prints a kit from a folder where nothing else is', async () => {
  const empty = temporaryFolder();
  const moved = join(empty, 'keepset');
  cpSync(dirname(bin), moved, { recursive: true });
  const here = { cwd: empty };
  const keepset = (...args: readonly string[]) =>
    run(process.execPath, [join(moved, 'keepset.js'), ...args], here);
  expect(await keepset('quickstart', '--once')).toMatchObject({ code: 0 });
  const phone = ['--home', join('.keepset', 'phone')];
  const kit = await keepset('kit', '--out', 'print', ...phone);
  expect(kit).toMatchObject({ code: 0 });
  const [page = ''] = filesIn(join(empty, 'print')).filter((path) => path.endsWith('.pdf'));
  const { stdout } = await run('pdftotext', [page, '-'], here);
  expect(stdout).toContain('Keepset');
});

it('names the licence of every package that it holds', () => {
  const notices = readFileSync(join(dirname(bin), 'THIRD-PARTY-LICENSES'), 'utf8');
  const names = packages.flatMap(({ dependencies = {} }) => Object.keys(dependencies));
  const others = [...new Set(names)].filter((name) => !name.startsWith('@keepset/'));
  expect(others.length).toBeGreaterThan(10);
  for (const name of others) expect(notices).toMatch(new RegExp(`^${name} \\d`, 'm'));
  const granted =
    /Permission is hereby granted|Permission to use|Redistribution and use|Apache License|Notice Copyright/;
  for (const each of notices.split(/^-{80}$/m)) expect(each).toMatch(granted);
  // Of files that are under another licence than their package.
  expect(notices).toContain('Copyright 2013 Google Inc.');
});
