// Writes spec/coverage.md, or the file named: which file follows which part of which document, from the @spec and
// @deviation tags.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const sourcesUnder = (folder) =>
  readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.ts') && /(^|\/)src\//.test(name) && !name.includes('node_modules'))
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((name) => join(folder, name));

/** Tags of one file. A tag ends where its comment or paragraph ends or the next tag begins. */
const tagsOf = (file) => {
  const text = readFileSync(file, 'utf8');
  const comments = text.match(/\/\*\*[\s\S]*?\*\//g) ?? [];
  return comments.flatMap((comment) => {
    const lines = comment.slice(3, -2).replace(/^[ \t]*\*[ \t]?/gm, '');
    return [...lines.matchAll(/@(spec|deviation) ([\s\S]*?)(?=\n\s*\n|@\w|$)/g)].map(([, kind, words]) => ({
      kind,
      file: relative(root, file),
      words: words.replace(/\s+/g, ' ').trim(),
    }));
  });
};

const tags = ['packages', 'apps'].flatMap((folder) => sourcesUnder(join(root, folder))).flatMap(tagsOf);
const documents = /^(RFC \d+|BIP \d+|SLIP-\d+|EIP-\d+|eprint \d+\/\d+|FIPS [\d-]+|SEC \d|SP [\d-]+|C2SP|age)/;
const documentOf = ({ words }) => words.match(documents)?.[0] ?? 'Other';
const byDocument = Map.groupBy(
  tags.filter(({ kind }) => kind === 'spec'),
  documentOf,
);
const table = (head, rows) => [
  `| ${head.join(' | ')} |`,
  `|${head.map(() => ' --- |').join('')}`,
  ...rows.map((row) => `| ${row.join(' | ')} |`),
];
const cell = (text) => text.replaceAll('|', '\\|');

const page = [
  '# What follows which specification',
  '',
  'Made by `node scripts/spec-coverage.js` from the `@spec` and `@deviation` tags in the source. Do not edit.',
  ...[...byDocument]
    .toSorted(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
    .flatMap(([name, found]) => [
      '',
      `## ${name}`,
      '',
      ...table(
        ['Part', 'File'],
        found.map(({ words, file }) => [cell(words), `\`${file}\``]),
      ),
    ]),
  '',
  '## Deviations',
  '',
  ...table(
    ['What and why', 'File'],
    tags.filter(({ kind }) => kind === 'deviation').map(({ words, file }) => [cell(words), `\`${file}\``]),
  ),
  '',
];
writeFileSync(process.argv[2] ?? join(root, 'spec', 'coverage.md'), page.join('\n'));
