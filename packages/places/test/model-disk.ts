/**
 * A disk in memory that forgets, in a power cut, what was not synced: the content of files, and the newest entries
 * of folders. It stops at the operation it is told to stop at, and lists every state a restart may find.
 */
import { KeepsetError } from '@keepset/bytes';
import type { FileSystem, OpenFile } from '../src/index.ts';

interface Inode {
  content: Uint8Array;
  synced: Uint8Array;
}
type Folder = ReadonlyMap<string, Inode>;
type Change = (folder: Map<string, Inode>) => void;

/** A disk with one folder. */
export interface ModelDisk {
  readonly files: FileSystem;
  /** Operations done so far. */
  readonly operations: () => number;
  /** Every state a restart may find. */
  readonly afterPowerCut: () => ModelDisk[];
  /** The same disk with the power never cut. */
  readonly healthy: () => ModelDisk;
}

/** What happens at the chosen operation. */
export interface Trouble {
  /** Counted from 1. */
  readonly at: number;
  /** `cut`: this and every later operation fails. Otherwise only this one fails, with the code. */
  readonly how: 'cut' | 'place/full' | 'place/read-only' | 'place/unreachable';
}

const missing = (): KeepsetError => new KeepsetError('place/not-found', 'no such file');

/** @param syncs false makes a disk whose sync calls lie: the control that shows the test can fail. */
export const modelDisk = (trouble?: Trouble, start: Folder = new Map(), syncs = true): ModelDisk => {
  let done = 0;
  let folder = new Map(start);
  let syncedFolder = new Map(start);
  let unsynced: Change[] = [];

  /** Counts the operation. True if it must fail halfway. */
  const fails = (): boolean => {
    done += 1;
    return trouble !== undefined && (done === trouble.at || (trouble.how === 'cut' && done > trouble.at));
  };
  const failure = (): KeepsetError =>
    new KeepsetError(
      trouble?.how === 'cut' || trouble === undefined ? 'place/unreachable' : trouble.how,
      'trouble',
    );
  const step = (): void => {
    if (fails()) throw failure();
  };
  const change = (apply: Change): void => {
    apply(folder);
    unsynced.push(apply);
  };
  const inodeAt = (path: string): Inode => {
    const inode = folder.get(path);
    if (inode === undefined) throw missing();
    return inode;
  };
  const opened = (inode: Inode): OpenFile => ({
    write: async (bytes) => {
      const torn = fails();
      const written = torn ? bytes.subarray(0, bytes.length >> 1) : bytes;
      inode.content = Uint8Array.from([...inode.content, ...written]);
      if (torn) throw failure();
    },
    sync: async () => {
      step();
      if (syncs) inode.synced = inode.content;
    },
    close: async () => step(),
  });

  const files: FileSystem = {
    facts: async (path) => {
      step();
      const inode = folder.get(path);
      if (inode !== undefined) return { kind: 'file', size: inode.content.length, mode: 0o600 };
      return path === '/place' ? { kind: 'folder', size: 0, mode: 0o700 } : null;
    },
    makeFolder: async () => {
      throw new KeepsetError('place/exists', 'the folder is there');
    },
    names: async () => {
      step();
      return [...folder.keys()].map((path) => path.slice('/place/'.length));
    },
    read: async (path) => {
      step();
      return Uint8Array.from(inodeAt(path).content);
    },
    create: async (path) => {
      step();
      if (folder.has(path)) throw new KeepsetError('place/exists', 'file exists');
      const inode: Inode = { content: new Uint8Array(0), synced: new Uint8Array(0) };
      change((map) => map.set(path, inode));
      return opened(inode);
    },
    truncate: async (path) => {
      step();
      const inode = inodeAt(path);
      inode.content = new Uint8Array(0);
      return opened(inode);
    },
    rename: async (from, to) => {
      step();
      const inode = inodeAt(from);
      change((map) => {
        map.delete(from);
        map.set(to, inode);
      });
    },
    remove: async (path) => {
      step();
      inodeAt(path);
      change((map) => map.delete(path));
    },
    syncFolder: async () => {
      step();
      if (!syncs) return;
      syncedFolder = new Map(folder);
      unsynced = [];
    },
  };

  const restart = (paths: Folder, contentOf: (inode: Inode) => Uint8Array): ModelDisk =>
    modelDisk(
      undefined,
      new Map(
        [...paths].map(([path, inode]) => [path, { content: contentOf(inode), synced: contentOf(inode) }]),
      ),
    );

  return {
    files,
    operations: () => done,
    healthy: () => restart(folder, (inode) => inode.content),
    afterPowerCut: () => {
      const states: ModelDisk[] = [];
      for (let kept = 0; kept <= unsynced.length; kept++) {
        const paths = new Map(syncedFolder);
        for (const apply of unsynced.slice(0, kept)) apply(paths);
        const torn = (inode: Inode): Uint8Array =>
          inode.content === inode.synced
            ? inode.synced
            : inode.content.subarray(0, inode.content.length >> 1);
        states.push(
          restart(paths, (inode) => inode.synced),
          restart(paths, (inode) => inode.content),
          restart(paths, torn),
        );
      }
      return states;
    },
  };
};
