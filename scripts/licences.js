// The licences of what a bundle holds, as they ask for: texts, and notices that stand in the sources.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './install.js';

/**
 * @param modules paths of all that is bundled, ours and others'
 * @returns one text for each package of others. Throws for a package without a licence.
 */
export const licencesOf = (modules) => {
  const packages = new Map();
  for (const module of modules) {
    const folder = /^.*[/\\]node_modules[/\\](?:@[^/\\]+[/\\])?[^/\\]+/.exec(module)?.[0];
    if (folder !== undefined) packages.set(folder, [...(packages.get(folder) ?? []), module]);
  }
  return [...packages]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([folder, files]) => {
      const about = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      const notices = new Set(files.map(noticeOf).filter((notice) => notice !== undefined));
      return [`${about.name} ${about.version}`, ...textsOf(folder, about), ...notices].join('\n\n');
    });
};

/** What stands at the beginning of a file about its own origin. */
const noticeOf = (file) => {
  const comment = /^\s*(\/\*[\s\S]*?\*\/|(?:\/\/.*\n)+)/.exec(readFileSync(file, 'utf8'))?.[1];
  return comment !== undefined && /copyright|licensed under/i.test(comment) ? comment : undefined;
};

const textsOf = (folder, { name, license, author }) => {
  const files = globSync('{LICEN[SC]E,licen[sc]e,NOTICE}*', { cwd: folder });
  if (files.length > 0) return files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
  const [readme] = globSync('[Rr][Ee][Aa][Dd][Mm][Ee]*', { cwd: folder });
  const section =
    readme === undefined
      ? ''
      : readFileSync(join(folder, readme), 'utf8')
          .split(/^#+ Licen[sc]e$/im)
          .at(-1);
  if (section.includes('Permission is hereby granted')) return [section.trim()];
  if (license !== 'MIT' || author === undefined) throw new Error(`${name} has no licence text.`);
  // It names the licence and leaves out the text, which is that of our own.
  const own = readFileSync(join(root, 'LICENSE'), 'utf8');
  return [own.replace(/^Copyright .*$/m, `Copyright (c) ${author.name ?? author}`).trim()];
};
