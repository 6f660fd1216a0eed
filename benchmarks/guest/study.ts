/** Cuts the power at every moment of a recording and reads what is left, by the kernel's drivers and by the tests' reader. */
import { createHash } from 'node:crypto';
import {
  chanceFrom,
  imagesAt,
  readOnlyDevice,
  type Device,
  type Image,
} from '../../packages/places/test/fat/device.ts';
import { momentsOf, type Recording } from '../../packages/places/test/fat/recording.ts';
import type { Inputs, Subject } from '../../packages/places/test/usb-steps.ts';
import {
  dueAfter,
  holds,
  judgeFor,
  snapshotOf,
  type Snapshot,
} from '../../packages/places/test/usb-verdict.ts';
import type { FileSystem } from '@keepset/places';
import type { Disk } from './disk.ts';
import type { Machine } from './machine.ts';

export interface Count {
  /** Moments of a power cut: prefixes of the log. */
  cuts: number;
  /** Those, and what is left if what was not flushed is lost, or kept by chance. */
  images: number;
  /** Images in which what was acknowledged is lost. */
  lost: number;
}
type Counts = Record<Subject, Count>;

export interface Result {
  readonly writes: number;
  readonly flushes: number;
  readonly byTests: Counts;
  readonly byKernel: Counts;
  /** Images read by the kernel, each different one once, and those that the tests' reader reads otherwise. */
  readByKernel: number;
  readOtherwise: number;
}

export interface Laboratory {
  readonly machine: Machine;
  readonly disk: Disk;
  readonly inputs: Inputs;
  readonly say: (text: string) => void;
  /** How many images the kernel reads of each recording. */
  readonly mostImages: number;
  /** Contents of files by their hash: the machine sends each only once. */
  readonly contents: Map<string, Uint8Array>;
}

const subjects: readonly Subject[] = ['share', 'large', 'textbook'];
const noCounts = (): Counts => ({
  share: { cuts: 0, images: 0, lost: 0 },
  large: { cuts: 0, images: 0, lost: 0 },
  textbook: { cuts: 0, images: 0, lost: 0 },
});

/** @param mount arguments of mount that mount a file system to read it. */
export const study = async (
  { machine, disk, inputs, say, mostImages, contents }: Laboratory,
  recording: Recording,
  mount: string,
  reader: (device: Device) => FileSystem,
): Promise<Result> => {
  const judge = judgeFor(inputs);
  const lookWithKernel = async (image: Image): Promise<Snapshot> => {
    disk.image = new Map(image);
    const answer = (await machine.ask({ do: 'look', mount: `mount ${mount} /dev/vda /mnt/stick` })) as {
      files: Record<string, string>;
      contents: Record<string, string>;
    };
    for (const [hash, text] of Object.entries(answer.contents))
      contents.set(hash, Uint8Array.from(Buffer.from(text, 'base64')));
    return new Map(Object.entries(answer.files).map(([path, what]) => [path, contents.get(what) ?? what]));
  };
  const result: Result = {
    writes: recording.events.filter(({ kind }) => kind === 'write').length,
    flushes: recording.events.filter(({ kind }) => kind === 'flush').length,
    byTests: noCounts(),
    byKernel: noCounts(),
    readByKernel: 0,
    readOtherwise: 0,
  };
  const chances = [1, 2].map(chanceFrom);
  const seen = new Map<string, Snapshot>();
  for (const [n, moment] of momentsOf(recording).entries()) {
    const dues = subjects
      .map((subject) => ({ subject, due: dueAfter(moment.marks, subject) }))
      .filter(({ due }) => due.acknowledged > 0);
    if (dues.length === 0) continue;
    for (const [i, image] of imagesAt(moment, chances).entries()) {
      const tests = await snapshotOf(reader(readOnlyDevice(image)), inputs);
      const key = keyOf(image);
      let kernels = seen.get(key);
      // Every prefix, and the image without all that was not flushed; of the others one in eight.
      if (kernels === undefined && result.readByKernel < mostImages && (i < 2 || (n + i) % 8 === 0)) {
        kernels = await lookWithKernel(image);
        seen.set(key, kernels);
        result.readByKernel += 1;
        if (!areAlike(tests, kernels)) result.readOtherwise += 1;
      }
      for (const { subject, due } of dues)
        for (const [count, snapshot] of [
          [result.byTests[subject], tests],
          [result.byKernel[subject], kernels],
        ] as const) {
          if (snapshot === undefined) continue;
          count.images += 1;
          if (i === 0) count.cuts += 1;
          const verdict = await judge(snapshot, subject);
          if (holds(verdict, due)) continue;
          count.lost += 1;
          if (subject !== 'textbook')
            say(`LOST at ${n}.${i}: ${JSON.stringify({ subject, verdict, due, mark: moment.marks.at(-1) })}`);
        }
    }
  }
  await machine.ask({ do: 'shell', command: 'umount /mnt/stick' });
  return result;
};

const keyOf = (image: Image): string => {
  const hash = createHash('sha256');
  for (const [sector, data] of [...image].sort(([a], [b]) => a - b)) hash.update(`${sector} `).update(data);
  return hash.digest('hex');
};

/** Whether two readers found the same: the same files, with the same content or an error. */
const areAlike = (tests: Snapshot, kernels: Snapshot): boolean =>
  [...tests].every(([path, content]) => {
    const other = kernels.get(path);
    return content instanceof Uint8Array && other instanceof Uint8Array
      ? Buffer.from(content).equals(other)
      : typeof content === typeof other;
  }) && [...kernels.keys()].every((path) => tests.has(path) || path.endsWith('.tmp'));
