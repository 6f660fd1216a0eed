/** Imports point one way. The linter enforces it; planted violations prove that it does. */
import { cpSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { projectRoot, temporaryFolder } from '../support/folders.ts';
import { run } from '../support/processes.ts';

/** What each may import, said again and independently of the linter's configuration. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  bytes: [],
  access: ['bytes'],
  threshold: ['bytes', 'access'],
  wire: ['bytes', 'access', 'threshold'],
  log: ['bytes', 'access', 'threshold', 'wire'],
  transport: ['bytes', 'access', 'threshold', 'wire'],
  places: ['bytes', 'access', 'threshold', 'wire'],
  intent: ['bytes', 'access', 'threshold', 'wire'],
  ceremony: ['bytes', 'access', 'threshold', 'wire', 'log', 'transport', 'places', 'intent'],
  // Applications compose ceremonies; protocols are none of their business.
  server: ['bytes', 'access', 'wire', 'log', 'transport', 'places', 'intent', 'ceremony'],
  cli: ['bytes', 'access', 'wire', 'log', 'transport', 'places', 'intent', 'ceremony', 'server'],
};
const names = Object.keys(mayImport);
const folderOf = (name: string): string =>
  name === 'server' || name === 'cli' ? `apps/${name}` : `packages/${name}`;

/** Lints a tree that has only the given files, with the project's own configuration; returns the files it refuses. */
const refused = async (files: Readonly<Record<string, string>>): Promise<string[]> => {
  const root = temporaryFolder();
  for (const file of ['oxlint.config.ts', 'tsconfig.base.json'])
    cpSync(join(projectRoot, file), join(root, file));
  writeFileSync(join(root, 'tsconfig.json'), '{ "extends": "./tsconfig.base.json" }');
  symlinkSync(join(projectRoot, 'node_modules'), join(root, 'node_modules'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const oxlint = join(projectRoot, 'node_modules', 'oxlint', 'bin', 'oxlint');
  const { stdout, code } = await run(process.execPath, [oxlint, '--format', 'json'], { cwd: root });
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { code: string; filename: string }[] };
  const found = diagnostics.filter((one) => one.code === 'eslint(no-restricted-imports)');
  expect(code).toBe(diagnostics.length === 0 ? 0 : 1);
  return [...new Set(found.map(({ filename }) => filename))].sort();
};

it('every package and application has its place in the order', () => {
  const there = ['packages', 'apps'].flatMap((folder) => readdirSync(join(projectRoot, folder)));
  expect(there.sort()).toEqual([...names].sort());
});

describe('the linter', () => {
  const pairs = names.flatMap((from) => names.filter((to) => to !== from).map((to) => [from, to] as const));
  const plantAt = (from: string, to: string) => `${folderOf(from)}/src/imports-${to}.ts`;
  let flagged: string[];
  beforeAll(async () => {
    flagged = await refused(
      Object.fromEntries(
        pairs.map(([from, to]) => [plantAt(from, to), `export { planted } from '@keepset/${to}';\n`]),
      ),
    );
  });

  it('refuses each import against the direction, and no other', () => {
    const forbidden = pairs.filter(([from, to]) => !mayImport[from]!.includes(to));
    expect(forbidden.length).toBeGreaterThan(50);
    expect(flagged).toEqual(forbidden.map(([from, to]) => plantAt(from, to)).sort());
  });

  it('refuses it in every form an import can take, and by whatever path', async () => {
    const forms: Readonly<Record<string, string>> = {
      value: `import { x } from '@keepset/ceremony';\nexport const y = x;\n`,
      type: `import type { X } from '@keepset/ceremony';\nexport type Y = X;\n`,
      star: `export * from '@keepset/ceremony';\n`,
      dynamic: `export const y = (): Promise<unknown> => import('@keepset/ceremony');\n`,
      subpath: `export * from '@keepset/ceremony/src/device/sign.ts';\n`,
      relative: `export * from '../../ceremony/src/index.ts';\n`,
      through: `export * from '../../../packages/ceremony/src/index.ts';\n`,
    };
    const files = Object.fromEntries(
      Object.entries(forms).map(([form, text]) => [`packages/bytes/src/${form}.ts`, text]),
    );
    const deep = 'packages/bytes/src/inner/most/deep.ts';
    const own = { 'packages/bytes/src/inner/own.ts': `export * from '../value.ts';\n` };
    expect(
      await refused({ ...files, [deep]: `export * from '../../../../access/src/parse.ts';\n`, ...own }),
    ).toEqual([...Object.keys(files), deep].sort());
  });
});

describe('the tree as it is', () => {
  const sources = (folder: string): string[] =>
    readdirSync(join(projectRoot, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => join(projectRoot, folder, path));
  const importsOf = (file: string): string[] =>
    [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(
      ([, name]) => name ?? '',
    );

  it.each(names)('%s imports only what it may', (name) => {
    const files = sources(join(folderOf(name), 'src'));
    expect(files.length).toBeGreaterThan(0);
    const own = files.flatMap((file) =>
      importsOf(file).flatMap((target) => /^@keepset\/([a-z]+)/.exec(target)?.[1] ?? []),
    );
    expect([...new Set(own)].filter((target) => !mayImport[name]!.includes(target))).toEqual([]);
  });

  it.each(names)('%s declares each workspace it imports', (name) => {
    const { dependencies = {} } = JSON.parse(
      readFileSync(join(projectRoot, folderOf(name), 'package.json'), 'utf8'),
    ) as { dependencies?: Record<string, string> };
    const used = sources(join(folderOf(name), 'src')).flatMap((file) =>
      importsOf(file).filter((target) => target.startsWith('@keepset/')),
    );
    expect([...new Set(used)].filter((target) => !(target in dependencies))).toEqual([]);
  });
});
