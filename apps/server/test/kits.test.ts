/** What the server keeps of the copies of a user: it only goes up, and other users see nothing of it. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { KeepsetError } from '@keepset/bytes';
import type { KitNote } from '@keepset/wire';
import { newDevice, openHome, type TestDevice } from '../../../tests/support/device.ts';
import { temporaryFolder } from '../../../tests/support/folders.ts';
import { addDevice } from '../../../tests/support/meeting.ts';
import { serverOptions } from '../../../tests/support/server.ts';
import { startServer, type RunningServer } from '../src/index.ts';
import { kitStore, maxKitsPerTenant } from '../src/kits/store.ts';
import { inTransaction, openDatabase } from '../src/store/database.ts';

let server: RunningServer;
let options: ReturnType<typeof serverOptions>;
let phone: TestDevice;
let laptop: TestDevice;
let stranger: TestDevice;
beforeAll(async () => {
  options = serverOptions();
  server = await startServer(options);
  phone = await newDevice(server.invite());
  laptop = await addDevice(phone, 'laptop');
  stranger = await newDevice(server.invite());
});
afterAll(async () => {
  for (const device of [phone, laptop, stranger]) device.close();
  await server.close();
});

const kit = 'a'.repeat(26);
const noteOf = (epoch: number, generation: number, byte = 1): KitNote => ({
  kit,
  epoch,
  generation,
  sha256: new Uint8Array(32).fill(byte),
});
const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
    return 'accepted';
  } catch (error) {
    if (error instanceof KeepsetError) return error.code;
    throw error;
  }
};
const newestOf = async ({ kits }: TestDevice) => (await kits.kit(kit)).newest;

it('goes up, in generation and in epoch; every device of the user may ask', async () => {
  expect(await phone.kits.kit(kit)).toEqual({ kit });
  for (const note of [noteOf(1, 3), noteOf(1, 4), noteOf(2, 1)]) {
    const { kit: _kit, ...newest } = note;
    expect(await phone.kits.noteKit(note)).toEqual({ kit, newest });
    expect(await newestOf(laptop)).toEqual(newest);
  }
});

it('never down, by whichever device: an older note and another copy of the same generation change nothing', async () => {
  const before = await newestOf(phone);
  for (const { kits } of [phone, laptop]) {
    expect(await codeOf(kits.noteKit(noteOf(1, 4)))).toBe('place/stale');
    expect(await codeOf(kits.noteKit(noteOf(1, 99)))).toBe('place/stale');
    expect(await codeOf(kits.noteKit(noteOf(2, 0)))).toBe('place/stale');
    expect(await codeOf(kits.noteKit(noteOf(2, 1, 2)))).toBe('store/conflict');
  }
  expect(await newestOf(phone)).toEqual(before);
});

it('the note that is kept may be sent again', async () => {
  const before = await newestOf(phone);
  expect(await codeOf(laptop.kits.noteKit(noteOf(2, 1)))).toBe('accepted');
  expect(await newestOf(phone)).toEqual(before);
});

it('another user neither sees nor moves it, under the same kit id', async () => {
  const before = await newestOf(phone);
  expect(await stranger.kits.kit(kit)).toEqual({ kit });
  expect(await codeOf(stranger.kits.noteKit(noteOf(9, 9, 9)))).toBe('accepted');
  expect(await newestOf(phone)).toEqual(before);
});

it('what is no kit id is refused', async () => {
  expect(await codeOf(phone.kits.kit('A'.repeat(26)))).toBe('wire/malformed');
  expect(await codeOf(phone.kits.kit('a'.repeat(25)))).toBe('wire/malformed');
});

it('a user has so many kits and no more; those that are known still go up', async () => {
  const database = openDatabase(join(temporaryFolder(), 'keepset.db'));
  database.exec("INSERT INTO tenants VALUES ('one', 0), ('other', 0)");
  const store = kitStore(database);
  inTransaction(database, () => {
    const add = database.prepare("INSERT INTO kits VALUES ('one', ?, 0, 1, x'00')");
    for (let i = 1; i < maxKitsPerTenant; i += 1) add.run(`kit ${i}`);
  });
  const noteFor = (tenant: string, note: KitNote) =>
    codeOf(Promise.resolve(note).then((each) => store.note(tenant, each)));
  expect(await noteFor('one', noteOf(1, 1))).toBe('accepted');
  expect(await noteFor('one', { ...noteOf(1, 1), kit: 'b'.repeat(26) })).toBe('place/full');
  expect(await noteFor('one', noteOf(1, 2))).toBe('accepted');
  expect(await noteFor('other', { ...noteOf(1, 1), kit: 'b'.repeat(26) })).toBe('accepted');
  database.close();
});

it('is there after the server was started again', async () => {
  const before = await newestOf(phone);
  const port = Number(new URL(server.url).port);
  await server.close();
  server = await startServer({ ...options, port });
  const again = await openHome(phone.home);
  expect(await newestOf(again)).toEqual(before);
  again.close();
});
