import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { nodeFileSystem, openFilePlace, type CopyName, type PendingPlace } from '../src/index.ts';
import {
  codeOf,
  copyOf,
  describePending,
  describePlace,
  describeSeveral,
  nameA,
  nameB,
  type Subject,
} from './contract.ts';
import { describeFaults, fileSystemWrites } from './faults.ts';
import { modelDisk, type ModelDisk, type Trouble } from './model-disk.ts';

const root = mkdtempSync(join(tmpdir(), 'keepset-file-place-'));
afterAll(() => rmSync(root, { recursive: true }));
let made = 0;
const freshPath = (): string => join(root, String((made += 1)));

const currentFile = (folder: string, { keyId, epoch }: CopyName): string => {
  const generations = readdirSync(folder)
    .filter((file) => file.startsWith(`${keyId}.${epoch}.`) && !file.includes('pending'))
    .map((file) => Number(file.split('.')[2]));
  return join(folder, `${keyId}.${epoch}.${Math.max(...generations)}.age`);
};

const make = async (): Promise<Subject<PendingPlace>> => {
  const path = freshPath();
  return {
    place: await openFilePlace(path),
    reopen: () => openFilePlace(path),
    overwrite: async (name, bytes) => writeFileSync(currentFile(path, name), bytes),
  };
};

describePlace('file', make);
describeSeveral('file', make);
describePending('file', make);
describeFaults('file', ({ around }) => openFilePlace(freshPath(), around(nodeFileSystem, fileSystemWrites)), [
  'place/unreachable',
  'place/full',
  'place/read-only',
]);

const contentOf = async (place: PendingPlace, name: CopyName): Promise<string | null> => {
  const copy = await place.get(name);
  return copy === null ? null : (new TextDecoder().decode(copy.bytes).split('\n')[1] ?? '');
};

describe('on a real file system', () => {
  it('keeps folder and files from others', async () => {
    const path = freshPath();
    const place = await openFilePlace(path);
    await place.put(nameA, copyOf('x'), { generation: 1 });
    await place.putPending(nameA, copyOf('y'), { generation: 2 });
    expect(lstatSync(path).mode & 0o777).toBe(0o700);
    const files = readdirSync(path);
    expect(files.toSorted()).toEqual([`${nameA.keyId}.0.1.age`, `${nameA.keyId}.0.2.pending.age`]);
    for (const file of files) expect(lstatSync(join(path, file)).mode & 0o777).toBe(0o600);
  });

  it('refuses a folder that is a link, a file, open to others or without a parent', async () => {
    const path = freshPath();
    mkdirSync(path, { mode: 0o700 });
    symlinkSync(path, `${path}-link`);
    writeFileSync(`${path}-file`, '');
    mkdirSync(`${path}-open`);
    chmodSync(`${path}-open`, 0o755);
    for (const end of ['-link', '-file', '-open'])
      expect(await codeOf(openFilePlace(path + end)), end).toBe('place/foreign');
    expect(await codeOf(openFilePlace(join(path, 'no', 'such')))).toBe('place/not-found');
  });

  it('refuses links and folders under a copy’s name, and follows none', async () => {
    const path = freshPath();
    const place = await openFilePlace(path);
    const target = join(root, 'somebody-elses');
    writeFileSync(target, copyOf('theirs'));
    const own = join(path, `${nameA.keyId}.0.1.age`);
    symlinkSync(target, own);
    expect(await codeOf(place.get(nameA))).toBe('place/foreign');
    expect(await place.health(nameA)).toMatchObject({ status: 'damaged', code: 'place/foreign' });
    expect(await codeOf(place.put(nameA, copyOf('mine'), { generation: 1 }))).toBe('place/foreign');
    expect(readFileSync(target, 'utf8')).toContain('theirs');
    mkdirSync(join(path, `${nameB.keyId}.3.1.age`));
    expect(await codeOf(place.get(nameB))).toBe('place/foreign');
    symlinkSync(target, join(path, `${nameB.keyId}.3.4.age`));
    expect(await codeOf(place.put(nameB, copyOf('mine'), { generation: 4 }))).toBe('place/foreign');
    expect(await codeOf(place.put(nameB, copyOf('mine'), { generation: 5 }))).toBe('no error');
  });

  it('does not hang on a pipe', async () => {
    const path = freshPath();
    const place = await openFilePlace(path);
    execFileSync('mkfifo', [join(path, `${nameA.keyId}.0.1.age`)]);
    expect(await codeOf(place.get(nameA))).toBe('place/foreign');
  });

  it('leaves the files of others alone', async () => {
    const path = freshPath();
    const place = await openFilePlace(path);
    const foreign = [
      'notes.txt',
      `${nameA.keyId}.age`,
      `${nameA.keyId}.0.01.age`,
      `${nameA.keyId}.0.1.age.bak`,
      `.${nameA.keyId}.0.tmp`,
      `.${nameB.keyId}.3.0123456789abcdef.tmp`,
    ];
    for (const file of foreign) writeFileSync(join(path, file), 'theirs');
    await place.put(nameA, copyOf('x'), { generation: 1 });
    await place.put(nameA, copyOf('y'), { generation: 2 });
    await place.remove(nameA);
    expect(await place.list()).toEqual([]);
    expect(readdirSync(path).toSorted()).toEqual(foreign.toSorted());
  });

  it('sweeps up what a cut-off write of the same copy left', async () => {
    const path = freshPath();
    const place = await openFilePlace(path);
    writeFileSync(join(path, `.${nameA.keyId}.0.0123456789abcdef.tmp`), 'half');
    await place.put(nameA, copyOf('x'), { generation: 1 });
    expect(readdirSync(path)).toEqual([`${nameA.keyId}.0.1.age`]);
    // A pending copy of which there is no more than that is discarded all the same.
    writeFileSync(join(path, `.${nameB.keyId}.3.0123456789abcdef.tmp`), 'half');
    await place.discard(nameB);
    expect(readdirSync(path)).toEqual([`${nameA.keyId}.0.1.age`]);
  });

  it('refuses a copy of more than 1 MiB unread', async () => {
    const path = freshPath();
    const place = await openFilePlace(path);
    writeFileSync(join(path, `${nameA.keyId}.0.1.age`), new Uint8Array(1_048_577));
    expect(await codeOf(place.get(nameA))).toBe('wire/too-large');
    expect(await place.health(nameA)).toMatchObject({ status: 'damaged', code: 'wire/too-large' });
  });

  it('tells a vanished folder from an empty one', async () => {
    const path = freshPath();
    const place = await openFilePlace(path);
    await place.put(nameA, copyOf('x'), { generation: 1 });
    renameSync(path, `${path}-away`);
    expect(await codeOf(place.get(nameA))).toBe('place/unreachable');
    expect(await codeOf(place.list())).toBe('place/unreachable');
    expect(await codeOf(place.put(nameA, copyOf('y'), { generation: 2 }))).toBe('place/unreachable');
    expect(await place.health(nameA)).toMatchObject({ status: 'unreachable' });
    expect(existsSync(path)).toBe(false);
    renameSync(`${path}-away`, path);
    expect(await contentOf(place, nameA)).toBe('x');
  });
});

/**
 * Runs `work` on a model disk with trouble at each operation in turn, until it ends without having met it; the last
 * check is of the undisturbed run.
 */
const atEveryOperation = async (
  how: Trouble['how'],
  prepare: (place: PendingPlace, disk: ModelDisk) => Promise<void>,
  work: (place: PendingPlace) => Promise<void>,
  check: (disk: ModelDisk, outcome: string, at: number) => Promise<void>,
  syncs = true,
): Promise<number> => {
  for (let at = 1; ; at++) {
    const fresh = modelDisk();
    await prepare(await openFilePlace('/place', fresh.files), fresh);
    const opening = modelDisk();
    await openFilePlace('/place', opening.files);
    const prepared = [...(await snapshot(fresh))];
    const disk = modelDisk({ at: at + opening.operations(), how }, new Map(prepared), syncs);
    const outcome = await codeOf(work(await openFilePlace('/place', disk.files)));
    await check(disk, outcome, at);
    if (disk.operations() < at + opening.operations()) return at - 1;
  }
};

const snapshot = async (
  disk: ModelDisk,
): Promise<Map<string, { content: Uint8Array; synced: Uint8Array }>> => {
  const files = new Map<string, { content: Uint8Array; synced: Uint8Array }>();
  for (const file of await disk.files.names('/place')) {
    const content = await disk.files.read(`/place/${file}`, 1_000_000);
    files.set(`/place/${file}`, { content, synced: content });
  }
  return files;
};

const put = (text: string, generation: number) => (place: PendingPlace) =>
  place.put(nameA, copyOf(text), { generation });
const putPending = (text: string, generation: number) => (place: PendingPlace) =>
  place.putPending(nameA, copyOf(text), { generation });
const nothing = async (): Promise<void> => {};

/** Each case: from a state, through an operation, to one of the states allowed afterwards. */
const cases: readonly {
  readonly title: string;
  readonly before: (place: PendingPlace, disk: ModelDisk) => Promise<void>;
  readonly work: (place: PendingPlace) => Promise<void>;
  readonly old: string | null;
  readonly next: string | null;
}[] = [
  { title: 'put into an empty place', before: nothing, work: put('new', 1), old: null, next: 'new' },
  { title: 'put over an older copy', before: put('old', 1), work: put('new', 2), old: 'old', next: 'new' },
  {
    title: 'promote',
    before: putPending('new', 1),
    work: (place) => place.promote(nameA),
    old: null,
    next: 'new',
  },
  {
    title: 'promote over an older copy',
    before: async (place) => {
      await put('old', 1)(place);
      await putPending('new', 2)(place);
    },
    work: (place) => place.promote(nameA),
    old: 'old',
    next: 'new',
  },
  { title: 'putPending', before: put('old', 1), work: putPending('new', 2), old: 'old', next: 'old' },
  {
    title: 'discard',
    before: async (place) => {
      await put('old', 1)(place);
      await putPending('new', 2)(place);
    },
    work: (place) => place.discard(nameA),
    old: 'old',
    next: 'old',
  },
  { title: 'remove', before: put('old', 1), work: (place) => place.remove(nameA), old: 'old', next: null },
  {
    title: 'remove what an interrupted put left in two generations',
    before: async (place, { files }) => {
      await put('old', 2)(place);
      const earlier = await files.create(`/place/${nameA.keyId}.0.1.age`);
      await earlier.write(copyOf('older'));
      await earlier.sync();
    },
    work: (place) => place.remove(nameA),
    old: 'old',
    next: null,
  },
];

describe.each(cases)('$title', ({ before, work, old, next }) => {
  it('survives a power cut at every operation', async () => {
    let states = 0;
    const steps = await atEveryOperation('cut', before, work, async (disk, outcome, at) => {
      for (const restarted of disk.afterPowerCut()) {
        states += 1;
        const place = await openFilePlace('/place', restarted.files);
        const found = await contentOf(place, nameA);
        expect(outcome === 'no error' ? [next] : [old, next], `operation ${at}`).toContain(found);
        // The caller repeats what it does not know the outcome of, and it succeeds.
        await work(place);
        expect(await contentOf(place, nameA)).toBe(next);
        for (const { state } of await place.list()) expect(['current', 'pending']).toContain(state);
        expect((await place.list()).filter(({ state }) => state === 'current').length).toBeLessThan(2);
      }
    });
    expect(steps).toBeGreaterThan(1);
    expect(states).toBeGreaterThan(steps);
  });

  it.each(['place/full', 'place/read-only', 'place/unreachable'] as const)(
    'survives %s at every operation',
    async (how) => {
      await atEveryOperation(how, before, work, async (disk, outcome) => {
        const place = await openFilePlace('/place', disk.healthy().files);
        expect([how, 'no error']).toContain(outcome);
        expect(outcome === 'no error' ? [next] : [old, next]).toContain(await contentOf(place, nameA));
        await work(place);
        expect(await contentOf(place, nameA)).toBe(next);
      });
    },
  );
});

it('would be caught if it did not sync', async () => {
  let lost = 0;
  await atEveryOperation(
    'cut',
    put('old', 1),
    put('new', 2),
    async (disk, outcome) => {
      for (const restarted of disk.afterPowerCut()) {
        const found = await openFilePlace('/place', restarted.files).then((place) =>
          contentOf(place, nameA).catch(() => 'damaged'),
        );
        if (!(outcome === 'no error' ? ['new'] : ['old', 'new']).includes(String(found))) lost += 1;
      }
    },
    false,
  );
  expect(lost).toBeGreaterThan(0);
});

it('promotes a pending copy whole after any crash of putPending, or has none', async () => {
  await atEveryOperation('cut', put('old', 1), putPending('new', 2), async (disk) => {
    for (const restarted of disk.afterPowerCut()) {
      const place = await openFilePlace('/place', restarted.files);
      await place.promote(nameA);
      expect(['old', 'new']).toContain(await contentOf(place, nameA));
    }
  });
});

/** Runs `work` in a folder that is a file system of its own. */
const mounted = async (options: string, work: (path: string) => Promise<void>): Promise<void> => {
  const path = freshPath();
  mkdirSync(path, { mode: 0o700 });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `mode=700,${options}`, 'tmpfs', path], { stdio: 'pipe' });
  try {
    await work(path);
  } finally {
    execFileSync('umount', [path]);
  }
};
const mayMount = await mounted('size=64k', nothing).then(
  () => true,
  () => false,
);

const expectReadOnly = async (place: PendingPlace): Promise<void> => {
  expect(await contentOf(place, nameA)).toBe('old');
  expect(await codeOf(place.put(nameA, copyOf('new'), { generation: 2 }))).toBe('place/read-only');
  expect(await codeOf(place.promote(nameA))).toBe('place/read-only');
  expect(await codeOf(place.discard(nameA))).toBe('place/read-only');
  expect(await codeOf(place.remove(nameA))).toBe('place/read-only');
  expect(await place.health(nameA)).toMatchObject({ status: 'readable' });
};

// A full and a read-only medium in earnest, where the user may mount one; the model disk has them in any case.
if (mayMount) {
  it('keeps the old copy when a real disk is full', () =>
    mounted('size=64k', async (path) => {
      const place = await openFilePlace(path);
      await place.put(nameA, copyOf('old'), { generation: 1 });
      const large = copyOf('x'.repeat(100_000));
      expect(await codeOf(place.put(nameA, large, { generation: 2 }))).toBe('place/full');
      expect(await codeOf(place.putPending(nameA, large, { generation: 2 }))).toBe('place/full');
      expect(await contentOf(place, nameA)).toBe('old');
      expect(readdirSync(path)).toHaveLength(1);
      await place.put(nameA, copyOf('new'), { generation: 2 });
      expect(await contentOf(place, nameA)).toBe('new');
    }));

  it('reads but does not write on a real read-only medium', () =>
    mounted('size=64k', async (path) => {
      const place = await openFilePlace(path);
      await put('old', 1)(place);
      await putPending('new', 2)(place);
      execFileSync('mount', ['-o', 'remount,ro', path]);
      await expectReadOnly(place);
    }));
} else if (process.getuid?.() !== 0) {
  it('reads but does not write without the permission to write', async () => {
    const path = freshPath();
    const place = await openFilePlace(path);
    await put('old', 1)(place);
    await putPending('new', 2)(place);
    chmodSync(path, 0o500);
    await expectReadOnly(place);
    chmodSync(path, 0o700);
  });
}
