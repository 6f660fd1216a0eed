/**
 * The saves that are made on a real file system while its writes are recorded, and made again to see that the recording
 * is still of this save code.
 */
import { bytesToHex as toHex } from '@noble/hashes/utils.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { identityOf, signerOf, type FileSigner } from '@keepset/wire';
import { nodeFileSystem } from '../src/fs/node.ts';
import type { FileSystem, OpenFile } from '../src/fs/port.ts';
import { inspectContainer } from '../src/usb/inspect.ts';
import { folderOf, type ContainerRef } from '../src/usb/layout.ts';
import { createContainer, mirrorCopy, repairContainer, saveCopy } from '../src/usb/write.ts';

/** What is saved, by whom and where. Keys for tests; they guard nothing. */
export interface Inputs {
  readonly ageIdentity: string;
  /** P-256 scalar, hex. */
  readonly scalar: string;
  /** Of the container with share files, and of the one with copies of 15 KB. */
  readonly kits: { readonly share: string; readonly large: string };
  /** Share files of generation 1, 2, …, base64. */
  readonly copies: readonly string[];
}

/** Who saves. */
export type Subject = 'share' | 'large' | 'textbook';

/** Copies of 15 KB, the size of an ECDSA share, which parity alone cannot bring back. */
const largeCopies: readonly Uint8Array[] = [1, 2, 3, 4].map((n) =>
  new TextEncoder().encode(`age-encryption.org/v1\n${`${n} and so on. `.repeat(1200 + n)}`),
);

/** The copies of each subject in the order in which they are saved. */
export const copiesOf = (inputs: Inputs): Readonly<Record<Subject, readonly Uint8Array[]>> => {
  const copies = inputs.copies.map((copy) => Uint8Array.from(Buffer.from(copy, 'base64')));
  return { share: copies, large: largeCopies, textbook: copies };
};

/** A mark in the log: `begin` and `end` of a step that brings the subject to the generation. */
export const markOf = (edge: 'begin' | 'end', subject: Subject, generation: number): string =>
  `${edge} ${subject} ${generation}`;

export const containerOf = (
  files: FileSystem,
  root: string,
  inputs: Inputs,
  subject: 'share' | 'large',
): ContainerRef => ({ files, root, kit: inputs.kits[subject], party: 2 });

export const signerFrom = async ({ ageIdentity, scalar }: Inputs): Promise<FileSigner> =>
  signerOf(await identityOf(ageIdentity, Uint8Array.from(Buffer.from(scalar, 'hex'))));

/** The path of the file that the textbook save replaces. */
export const textbookPath = (root: string): string => `${root}/share-by-the-textbook.age`;

/** Saves share files and large copies, mirrors, repairs, and last the textbook save for comparison. */
export const runSteps = async (
  files: FileSystem,
  root: string,
  inputs: Inputs,
  mark: (text: string) => Promise<void>,
): Promise<void> => {
  const signer = await signerFrom(inputs);
  const copies = copiesOf(inputs);
  const step = async (subject: Subject, generation: number, work: () => Promise<void>): Promise<void> => {
    await mark(markOf('begin', subject, generation));
    await work();
    await mark(markOf('end', subject, generation));
  };
  for (const subject of ['share', 'large'] as const) {
    const container = containerOf(files, root, inputs, subject);
    for (const [n, copy] of copies[subject].entries())
      await step(subject, n + 1, async () => {
        if (n === 0) await createContainer(container, copy, signer);
        else await saveCopy(await inspectContainer(container), copy, signer);
      });
    const newest = copies[subject].length;
    await step(subject, newest, async () => {
      await mirrorCopy(await inspectContainer(container), signer);
    });
    await step(subject, newest, async () => {
      const damaged = await files.truncate(`${folderOf(container)}/share_party2.bak`);
      await damaged.write(copies[subject].at(-1)!.slice(0, 400));
      await damaged.sync();
      await damaged.close();
      await repairContainer(await inspectContainer(container), signer);
    });
  }
  for (const [n, copy] of copies.textbook.entries())
    await step('textbook', n + 1, () => saveByTextbook(files, root, copy));
};

const saveByTextbook = async (files: FileSystem, root: string, copy: Uint8Array): Promise<void> => {
  const path = textbookPath(root);
  const temporary = await files.create(`${path}.tmp`);
  await temporary.write(copy);
  await temporary.sync();
  await temporary.close();
  await files.rename(`${path}.tmp`, path);
  await files.syncFolder(root);
};

/** The same file system, and each call that changes or syncs something, in words, with paths below the root. */
export const recordOperations = (
  root: string,
  files: FileSystem = nodeFileSystem,
): { readonly files: FileSystem; readonly operations: string[] } => {
  const operations: string[] = [];
  const below = (path: string): string => path.slice(root.length) || '/';
  const note = <T>(text: string, work: Promise<T>): Promise<T> => {
    operations.push(text);
    return work;
  };
  const opened = (file: OpenFile): OpenFile => ({
    write: (bytes) => note(`write ${bytes.length} ${toHex(sha256(bytes)).slice(0, 16)}`, file.write(bytes)),
    sync: () => note('sync', file.sync()),
    close: () => note('close', file.close()),
  });
  return {
    operations,
    files: {
      ...files,
      makeFolder: (path) => note(`makeFolder ${below(path)}`, files.makeFolder(path)),
      create: async (path) => opened(await note(`create ${below(path)}`, files.create(path))),
      truncate: async (path) => opened(await note(`truncate ${below(path)}`, files.truncate(path))),
      rename: (from, to) => note(`rename ${below(from)} ${below(to)}`, files.rename(from, to)),
      remove: (path) => note(`remove ${below(path)}`, files.remove(path)),
      syncFolder: (folder) => note(`syncFolder ${below(folder)}`, files.syncFolder(folder)),
    },
  };
};
