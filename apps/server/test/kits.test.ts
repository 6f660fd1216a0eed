/**
 * What the server keeps of the copies of a user: it only goes up, other users see nothing of it, and a device that is
 * revoked takes what it told with it.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { KeepsetError } from '@keepset/bytes';
import type { KitNote } from '@keepset/wire';
import { newDevice, openHome, type TestDevice } from '../../../tests/support/device.ts';
import { temporaryFolder } from '../../../tests/support/folders.ts';
import { addDevice } from '../../../tests/support/meeting.ts';
import { serverOptions } from '../../../tests/support/server.ts';
import { revokeDevice, startServer, type RunningServer } from '../src/index.ts';
import { kitStore, maxKitsPerDevice } from '../src/kits/store.ts';
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

it('a device has so many kits and no more, and takes no room from others; those that are known still go up', async () => {
  const database = openDatabase(join(temporaryFolder(), 'keepset.db'));
  database.exec("INSERT INTO tenants VALUES ('one', 0), ('other', 0)");
  const store = kitStore(database);
  inTransaction(database, () => {
    const add = database.prepare("INSERT INTO kits VALUES ('one', ?, 'phone', 0, 1, x'00')");
    for (let i = 1; i < maxKitsPerDevice; i += 1) add.run(`kit ${i}`);
  });
  const noteFor = (tenant: string, note: KitNote, device = 'phone') =>
    codeOf(Promise.resolve(note).then((each) => store.note({ tenant, device }, each)));
  const another = { ...noteOf(1, 1), kit: 'b'.repeat(26) };
  expect(await noteFor('one', noteOf(1, 1))).toBe('accepted');
  expect(await noteFor('one', another)).toBe('place/full');
  expect(await noteFor('one', noteOf(1, 2))).toBe('accepted');
  expect(await noteFor('one', another, 'laptop')).toBe('accepted');
  expect(await noteFor('other', another)).toBe('accepted');
  database.close();
});

it('a revoked device takes its notes with it, and what others told counts again', async () => {
  const thief = await addDevice(phone, 'thief');
  const highest = noteOf(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 8);
  const alone = { ...highest, kit: 'c'.repeat(26) };
  const before = await newestOf(phone);
  for (const note of [highest, alone]) expect(await codeOf(thief.kits.noteKit(note))).toBe('accepted');
  expect(await codeOf(phone.kits.noteKit(noteOf(3, 1)))).toBe('place/stale');
  await revokeDevice(options, thief.account.device);
  expect(await codeOf(thief.kits.noteKit(highest))).toBe('policy/revoked');
  expect(await newestOf(phone)).toEqual(before);
  expect(await phone.kits.kit(alone.kit)).toEqual({ kit: alone.kit });
  expect(await codeOf(phone.kits.noteKit(noteOf(3, 1)))).toBe('accepted');
  thief.close();
});

it('a device that is revoked while its note is under way leaves none', async () => {
  const thief = await addDevice(phone, 'thief');
  await revokeDevice(options, thief.account.device);
  const database = openDatabase(join(options.dataDir, 'keepset.db'));
  const { tenant, device } = thief.account;
  expect(() => kitStore(database).note({ tenant, device }, noteOf(9, 9))).toThrow('revoked');
  database.close();
  expect(await newestOf(phone)).toMatchObject({ epoch: 3 });
  thief.close();
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
