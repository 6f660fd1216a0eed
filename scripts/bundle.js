// npm run bundle: makes the `keepset` command one folder that needs nothing but Node, dist/keepset. It is what a release
// is and what the tests run.
import {
  copyFileSync,
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { root } from './install.js';

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** Folder of the package of others that a module belongs to, if it does. */
const packageOf = (module) => /^.*[/\\]node_modules[/\\](?:@[^/\\]+[/\\])?[^/\\]+/.exec(module)?.[0];

/** The licences of all packages of others that the bundle holds, as they ask for. */
const noticesOf = (chunks) => {
  const folders = new Set(chunks.flatMap(({ moduleIds = [] }) => moduleIds.map(packageOf)));
  folders.delete(undefined);
  return [...folders]
    .toSorted((a, b) => a.localeCompare(b))
    .map((folder) => {
      const { name, version, license = 'see below' } = readJson(join(folder, 'package.json'));
      const texts = globSync('{LICEN[SC]E,licen[sc]e,NOTICE}*', { cwd: folder });
      return [
        `${name} ${version}: ${license}\n`,
        ...texts.map((text) => readFileSync(join(folder, text), 'utf8')),
      ].join('\n');
    });
};

const cli = join(root, 'apps', 'cli');
const folder = join(root, 'dist', 'keepset');
mkdirSync(join(root, 'dist'), { recursive: true });
const fresh = mkdtempSync(`${folder}-`);

const bundle = await rolldown({ input: join(cli, 'src', 'main.ts'), platform: 'node' });
const { output } = await bundle.write({
  dir: join(fresh, 'lib'),
  entryFileNames: '[name].js',
  chunkFileNames: '[name]-[hash].js',
});
await bundle.close();

// What is read from disk while it runs: the page that asks for a passkey, and the widths of letters in printed kits.
cpSync(join(cli, 'src', 'passkey', 'page'), join(fresh, 'lib', 'page'), { recursive: true });
const fonts = join(root, 'node_modules', 'pdfkit', 'js', 'standard-fonts');
cpSync(fonts, join(fresh, 'lib', 'fonts'), { recursive: true, filter: (path) => !path.endsWith('.mjs') });
const imports = { '#standard-fonts/*': './lib/fonts/*.cjs' };

copyFileSync(join(cli, 'bin', 'bundled.js'), join(fresh, 'keepset.js'));
copyFileSync(join(root, 'LICENSE'), join(fresh, 'LICENSE'));
writeFileSync(join(fresh, 'THIRD-PARTY-LICENSES'), noticesOf(output).join(`\n${'-'.repeat(80)}\n`));
const { name, version, description, license, type, engines } = readJson(join(root, 'package.json'));
const bin = { [name]: 'keepset.js' };
writeFileSync(
  join(fresh, 'package.json'),
  `${JSON.stringify({ name, version, description, license, type, engines, bin, imports }, undefined, 2)}\n`,
);

rmSync(folder, { recursive: true, force: true });
renameSync(fresh, folder);
