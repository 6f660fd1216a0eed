import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { generateIdentity, signerOf, type FileSigner } from '@keepset/wire';
import {
  folderOf,
  inspectContainer,
  isMirrored,
  mirrorCopy,
  newKitId,
  nodeFileSystem,
  usbPlace,
  type ContainerRef,
  type SharePlace,
  type UsbLedger,
  type UsbLedgerEntry,
} from '../src/index.ts';
import { codeOf, copyOf, describePlace, nameA, nameB, type Subject } from './contract.ts';
import { describeFaults, fileSystemWrites } from './faults.ts';

const top = mkdtempSync(join(tmpdir(), 'keepset-usb-place-'));
afterAll(() => rmSync(top, { recursive: true }));
let signer: FileSigner;
beforeAll(async () => {
  signer = signerOf(await generateIdentity());
});

const memoryLedger = (): UsbLedger => {
  const kits = new Map<string, readonly UsbLedgerEntry[]>();
  return {
    load: async (kit) => kits.get(kit) ?? [],
    save: async (kit, entries) => void kits.set(kit, entries),
  };
};

let made = 0;
const makeStick = (): { container: ContainerRef; place: SharePlace; ledger: UsbLedger } => {
  const root = join(top, String((made += 1)));
  mkdirSync(root);
  const container = { files: nodeFileSystem, root, kit: newKitId(), party: 2 };
  const ledger = memoryLedger();
  return { container, ledger, place: usbPlace(container, signer, ledger) };
};

const make = async (): Promise<Subject<SharePlace>> => {
  const { container, place, ledger } = makeStick();
  return {
    place,
    reopen: async () => usbPlace(container, signer, ledger),
    // Parity would repair a slot alone.
    overwrite: async (_name, bytes) => {
      for (const file of readdirSync(folderOf(container)))
        writeFileSync(join(folderOf(container), file), bytes);
    },
  };
};

describePlace('USB', make);
describeFaults(
  'USB',
  async ({ around }) => {
    const root = join(top, String((made += 1)));
    mkdirSync(root);
    const files = around(nodeFileSystem, fileSystemWrites);
    return usbPlace({ files, root, kit: newKitId(), party: 2 }, signer, memoryLedger());
  },
  ['place/unreachable', 'place/full', 'place/read-only'],
);

it('keeps the old epoch until the new one is mirrored', async () => {
  const { container, place } = makeStick();
  const later = { ...nameA, epoch: 1 };
  await place.put(nameA, copyOf('old'), { generation: 1 });
  await place.put(later, copyOf('new'), { generation: 2 });
  expect(await place.list()).toEqual([
    { ...nameA, generation: 1, state: 'current' },
    { ...later, generation: 2, state: 'current' },
  ]);
  const report = await inspectContainer(container);
  expect(isMirrored(report)).toBe(false);
  expect(isMirrored(await mirrorCopy(report, signer))).toBe(true);
  expect((await place.get(later))?.generation).toBe(2);
  const files = readdirSync(folderOf(container)).map((file) =>
    readFileSync(join(folderOf(container), file), 'latin1'),
  );
  expect(files.some((content) => content.includes('\nold'))).toBe(false);
});

it('removes an old epoch by writing the new one over it, and the new one by the old', async () => {
  const later = { ...nameA, epoch: 1 };
  for (const gone of [nameA, later]) {
    const { place } = makeStick();
    await place.put(nameA, copyOf('old'), { generation: 1 });
    await place.put(later, copyOf('new'), { generation: 2 });
    await place.remove(gone);
    expect(await place.get(gone)).toBeNull();
    expect(await place.list()).toHaveLength(1);
  }
});

it('can be filled again after everything was removed', async () => {
  const { place } = makeStick();
  await place.put(nameA, copyOf('first'), { generation: 1 });
  await place.remove(nameA);
  await place.put(nameB, copyOf('second'), { generation: 1 });
  expect(await place.list()).toEqual([{ ...nameB, generation: 1, state: 'current' }]);
});

it('heals a damaged slot in memory', async () => {
  const { container, place } = makeStick();
  await place.put(nameA, copyOf('precious'), { generation: 1 });
  writeFileSync(join(folderOf(container), 'share_party2.enc'), 'gone');
  expect(await place.get(nameA)).toEqual({ generation: 1, bytes: copyOf('precious') });
  expect(await place.health(nameA)).toMatchObject({ status: 'readable' });
});

it('tells the wrong stick from an empty one', async () => {
  const { container, place } = makeStick();
  await place.put(nameA, copyOf('x'), { generation: 1 });
  const folder = folderOf(container);
  renameSync(folder, join(container.root, `keepset-${newKitId()}`));
  expect(await codeOf(place.get(nameA))).toBe('place/foreign');
  expect(await codeOf(place.put(nameB, copyOf('y'), { generation: 1 }))).toBe('place/foreign');
  rmSync(container.root, { recursive: true });
  expect(await place.health(nameA)).toMatchObject({ status: 'unreachable', code: 'place/unreachable' });
});
