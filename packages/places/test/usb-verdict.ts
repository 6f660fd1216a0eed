/** Judges what a power cut left on a medium: which copies the containers still hold, and which of them is the newest. */
import { createHash } from 'node:crypto';
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import type { FileSystem } from '../src/fs/port.ts';
import { inspectContainer } from '../src/usb/inspect.ts';
import { openNewest } from '../src/usb/read.ts';
import { newestOf } from '../src/usb/write.ts';
import { containerOf, copiesOf, textbookPath, type Inputs, type Subject } from './usb-steps.ts';

/** What lies on a medium: each file's path below the root, with its content or the error that reading it gave. */
export type Snapshot = ReadonlyMap<string, Uint8Array | string>;

const root = '/stick';
const subjects = ['share', 'large', 'textbook'] as const;

/** Paths below the root that each subject writes. */
const pathsOf = (inputs: Inputs, subject: Subject): string[] => {
  if (subject === 'textbook') return [textbookPath('')];
  const folder = `/keepset-${inputs.kits[subject]}`;
  const slots = ['enc', 'bak'].map((slot) => `${folder}/share_party2.${slot}`);
  return [`${folder}/metadata.json`, ...slots, ...slots.map((path) => `${path}.par`)];
};

/** All that the subjects wrote, as the file system shows it. */
export const snapshotOf = async (files: FileSystem, inputs: Inputs): Promise<Snapshot> => {
  const found = new Map<string, Uint8Array | string>();
  for (const path of subjects.flatMap((subject) => pathsOf(inputs, subject)))
    try {
      found.set(path, await files.read(root + path, 1 << 20));
    } catch (error) {
      if (!(error instanceof KeepsetError)) throw error;
      const isThere = await files.facts(root + path).catch(() => null);
      if (isThere !== null) found.set(path, error.code);
    }
  return found;
};

/** A file system that shows the snapshot and takes no writes. */
const overSnapshot = (snapshot: Snapshot): FileSystem => {
  const refuse = async (): Promise<never> => {
    throw new KeepsetError('place/read-only', 'a snapshot');
  };
  return {
    facts: async (path) => {
      const content = snapshot.get(path.slice(root.length));
      return content === undefined ? null : { kind: 'file', size: content.length, mode: 0 };
    },
    names: async (folder) => {
      const prefix = `${folder.slice(root.length)}/`;
      const names = [...snapshot.keys()].filter((path) => path.startsWith(prefix));
      if (names.length === 0) throw new KeepsetError('place/unreachable', 'no such folder');
      return names.map((path) => path.slice(prefix.length));
    },
    read: async (path) => {
      const content = snapshot.get(path.slice(root.length));
      if (content === undefined) throw new KeepsetError('place/not-found', 'no such file');
      if (typeof content === 'string') throw new KeepsetError('place/unreachable', content);
      return content;
    },
    makeFolder: refuse,
    create: refuse,
    truncate: refuse,
    rename: refuse,
    remove: refuse,
    syncFolder: refuse,
  };
};

/** Generations, from 1. */
export interface Verdict {
  /** Copies that lie in a slot (the textbook's: under the file's name) as they were written. */
  readonly whole: readonly number[];
  /** The one that the container gives, opened where it can be opened; or why it gives none. */
  readonly newest: number | string;
}

/** Judges snapshots, each different one once. */
export const judgeFor = (inputs: Inputs): ((snapshot: Snapshot, subject: Subject) => Promise<Verdict>) => {
  const copies = copiesOf(inputs);
  const generationOf = (bytes: Uint8Array, subject: Subject): number =>
    copies[subject].findIndex((copy) => bytesEqual(copy, bytes)) + 1;
  const known = new Map<string, Promise<Verdict>>();
  const judge = async (snapshot: Snapshot, subject: Subject): Promise<Verdict> => {
    if (subject === 'textbook') {
      const content = snapshot.get(textbookPath('')) ?? '';
      const generation = typeof content === 'string' ? 0 : generationOf(content, subject);
      return { whole: generation === 0 ? [] : [generation], newest: generation };
    }
    const container = containerOf(overSnapshot(snapshot), root, inputs, subject);
    try {
      const report = await inspectContainer(container);
      const whole = (['enc', 'bak'] as const)
        .flatMap((slot) => report.slots[slot].candidates)
        .flatMap(({ source, bytes }) => (source === 'as-is' ? [generationOf(bytes, subject)] : []))
        .filter((generation) => generation > 0);
      if (subject === 'large') {
        const newest = newestOf(report)?.bytes ?? new Uint8Array(0);
        return { whole, newest: generationOf(newest, subject) };
      }
      const { opened } = await openNewest(report, [inputs.ageIdentity]);
      opened.share.secret.wipe();
      return { whole, newest: opened.generation };
    } catch (error) {
      if (!(error instanceof KeepsetError)) throw error;
      return { whole: [], newest: error.code };
    }
  };
  return (snapshot, subject) => {
    const hash = createHash('sha256').update(subject);
    for (const path of pathsOf(inputs, subject)) {
      const content = snapshot.get(path);
      hash.update(`${path} ${content === undefined ? 'none' : content.length} ${typeof content}\n`);
      hash.update(content ?? '');
    }
    const key = hash.digest('hex');
    const verdict = known.get(key) ?? judge(snapshot, subject);
    known.set(key, verdict);
    return verdict;
  };
};

/** What must hold after the marks: the generation that was acknowledged (0: none), and the one being saved or the same. */
export interface Due {
  readonly acknowledged: number;
  readonly pending: number;
}

export const dueAfter = (marks: readonly string[], subject: Subject): Due => {
  let [acknowledged, pending] = [0, 0];
  for (const mark of marks) {
    const [edge, of, generation] = mark.split(' ');
    if (of !== subject) continue;
    pending = Number(generation);
    if (edge === 'end') acknowledged = pending;
  }
  return { acknowledged, pending };
};

/** Whether nothing that was acknowledged is lost. */
export const holds = ({ whole, newest }: Verdict, { acknowledged, pending }: Due): boolean =>
  acknowledged === 0 ||
  (whole.some((generation) => generation >= acknowledged) &&
    typeof newest === 'number' &&
    newest >= acknowledged &&
    newest <= pending);
