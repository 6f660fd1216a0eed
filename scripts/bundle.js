// npm run bundle: makes the `keepset` command one folder that needs nothing but Node, dist/keepset. It is what a release
// is and what the tests run.
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { root } from './install.js';
import { licencesOf } from './licences.js';

/** All that a folder holds, in one text. */
const contentOf = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .toSorted((a, b) => a.localeCompare(b))
    .map((path) => `${path.slice(folder.length)} ${statSync(path).mode}\n${readFileSync(path, 'latin1')}`)
    .join('\n');

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

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
const pdfkit = join(root, 'node_modules', 'pdfkit', 'js');
cpSync(join(pdfkit, 'standard-fonts'), join(fresh, 'lib', 'fonts'), {
  recursive: true,
  filter: (path) => !path.endsWith('.mjs'),
});
const imports = { '#standard-fonts/*': './lib/fonts/*.cjs' };
const ofFonts = ['Courier', 'Helvetica'].map((font) =>
  readFileSync(join(pdfkit, 'data', `${font}.afm`), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('Notice ')),
);

copyFileSync(join(cli, 'bin', 'bundled.js'), join(fresh, 'keepset.js'));
copyFileSync(join(root, 'LICENSE'), join(fresh, 'LICENSE'));
const licences = [
  ...licencesOf(output.flatMap(({ moduleIds = [] }) => moduleIds.filter((path) => path.startsWith(root)))),
  ['lib/fonts', ...ofFonts.flat()].join('\n\n'),
];
writeFileSync(join(fresh, 'THIRD-PARTY-LICENSES'), `${licences.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`);
const { name, version, description, license, type, engines } = readJson(join(root, 'package.json'));
const bin = { [name]: 'keepset.js' };
writeFileSync(
  join(fresh, 'package.json'),
  `${JSON.stringify({ name, version, description, license, type, engines, bin, imports }, undefined, 2)}\n`,
);

chmodSync(fresh, 0o755);
chmodSync(join(fresh, 'keepset.js'), 0o755);

// One that is the same stays: it may be running, and parts of it are read only when they are needed.
if (existsSync(folder) && contentOf(fresh) === contentOf(folder)) rmSync(fresh, { recursive: true });
else {
  const old = `${fresh}-old`;
  if (existsSync(folder)) renameSync(folder, old);
  renameSync(fresh, folder);
  rmSync(old, { recursive: true, force: true });
}
