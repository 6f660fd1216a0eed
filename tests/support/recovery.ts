/** What the tests of recovery share: a server, people with devices, and what happens to them. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { temporaryFolder } from './folders.ts';
import {
  errorOf,
  folderOptions,
  keepset,
  keepsetJson,
  run,
  serve,
  serverFolders,
  start,
  untilSaid,
  bin,
  type Ended,
  type Serving,
} from './processes.ts';

export type Json = Record<string, unknown>;

/** Runs a command that must succeed; what it printed. */
export const succeed = async (args: readonly string[]): Promise<Json> => {
  const { code, json, stderr } = await keepsetJson(args);
  expect({ args: args.slice(0, 2), code, json, stderr }).toMatchObject({ code: 0 });
  return json;
};

/** The error of a command that must fail, with a next step. */
export const failure = async (
  args: readonly string[],
): Promise<{ code: string; message: string; hint: string }> => {
  const ended = await keepsetJson(args);
  expect(ended.code, JSON.stringify(ended.json)).not.toBe(0);
  const { code, message, hint = '' } = errorOf(ended);
  expect(hint, `${code} says what to do next`).not.toBe('');
  return { code, message, hint };
};

/** A server with its operator. */
export interface World {
  readonly work: string;
  readonly server: () => Serving;
  /** The server's data folder. */
  readonly data: string;
  /** Starts the server again, after it was stopped, at the same address. */
  restart(): Promise<void>;
  /** Options by which the operator's commands find the server's data. */
  readonly operator: readonly string[];
  /** What the operator says: an invitation for a new user, or for the user of a key. */
  invite(keyId?: string): Promise<string>;
  approve(keyId: string): Promise<string>;
  folder(name: string): string;
}

/** Starts a server. */
export const newWorld = async (): Promise<World> => {
  const folders = serverFolders();
  let server = await serve(folders);
  const work = temporaryFolder();
  const operator = folderOptions(folders);
  let made = 0;
  return {
    work,
    operator,
    server: () => server,
    data: folders.data,
    restart: async () => {
      server = await serve(folders, ['--port', server.port]);
    },
    invite: async (keyId) => {
      const about = keyId === undefined ? [] : ['--key', keyId];
      const { invitation } = await succeed(['invite', ...about, ...operator, '--public-url', server.url]);
      return invitation as string;
    },
    approve: async (keyId) => (await succeed(['approve', keyId, ...operator]))['approval'] as string,
    folder: (name) => {
      const path = join(work, `${name}-${(made += 1)}`);
      mkdirSync(path);
      return path;
    },
  };
};

/** A device: a home folder of its own. */
export interface Device {
  readonly home: string;
  readonly args: readonly string[];
  /** What the server knows it as, once it is enrolled. */
  readonly id?: string;
}

/** A home that nobody has used. */
export const emptyHome = (world: World, name = 'home'): Device => {
  const home = join(world.folder(name), 'home');
  return { home, args: ['--home', home] };
};

/** A new user with one device. */
export const newPhone = async (world: World, party = 'phone'): Promise<Device> => {
  const device = emptyHome(world, party);
  const { device: id } = await succeed(['enroll', await world.invite(), '--party', party, ...device.args]);
  return { ...device, id: id as string };
};

/** Another device of the same user. */
export const addDevice = async (world: World, to: Device, party: string): Promise<Device> => {
  const device = emptyHome(world, party);
  const { invitation } = await succeed(['add-device', ...to.args]);
  const { device: id } = await succeed(['enroll', invitation as string, '--party', party, ...device.args]);
  return { ...device, id: id as string };
};

/** The device is gone, with everything on it: this is what its finder has. */
export const takenAway = (world: World, device: Device): Device => {
  const taken = emptyHome(world, 'taken');
  renameSync(device.home, taken.home);
  return taken;
};

/** What a device runs when it is handed a join code. */
export type Joining = (code: string) => readonly string[] | Promise<readonly string[]>;

/** Simply joins. */
export const joining =
  ({ args }: Device, ...more: readonly string[]): Joining =>
  (code) => ['join', code, ...more, ...args];

/** Starts a command for several devices, and joins it from each of the others as its code appears. */
export const together = async (
  starter: readonly string[],
  joins: Readonly<Record<string, Joining>>,
): Promise<Json> => {
  const running = start(process.execPath, [bin, ...starter, '--json']);
  const joined = Object.entries(joins).map(async ([party, join]) => {
    await untilSaid(running, `on ${party}:  keepset join `);
    const code = new RegExp(`on ${party}:  keepset join (\\S+)\n`).exec(running.stderr())?.[1] ?? '';
    return succeed(await join(code));
  });
  const [ended] = await Promise.all([running.ended, ...joined]);
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
  return JSON.parse(ended.stdout) as Json;
};

const message = 'what is signed';

/** The device signs, and OpenSSL accepts it under the public key that the key always had. */
export const expectSigns = async (
  world: World,
  device: Device,
  publicKey: string,
  signArgs: readonly string[] = [],
): Promise<void> => {
  const folder = world.folder('signed');
  const file = join(folder, 'file');
  const pem = join(folder, 'key.pem');
  writeFileSync(file, message);
  writeFileSync(pem, publicKey);
  await succeed(['sign', file, '--as', 'raw', '--out', `${file}.sig`, ...signArgs, ...device.args]);
  await expectValid(file, pem, publicKey);
};

/** Two devices sign together with the server, and OpenSSL accepts it. */
export const expectSignsTogether = async (
  world: World,
  device: Device,
  [party, other]: readonly [party: string, device: Device],
  publicKey: string,
): Promise<void> => {
  const folder = world.folder('signed-together');
  const file = join(folder, 'file');
  const pem = join(folder, 'key.pem');
  writeFileSync(file, message);
  writeFileSync(pem, publicKey);
  const sign = ['sign', file, '--as', 'raw', '--with', party, '--out', `${file}.sig`, ...device.args];
  await together(sign, { [party]: joining(other, file, '--as', 'raw') });
  await expectValid(file, pem, publicKey);
};

const expectValid = async (file: string, pem: string, publicKey: string): Promise<void> => {
  const args = ['-verify', '-pubin', '-inkey', pem, '-sigfile', `${file}.sig`, '-in', file];
  const { stdout, stderr } = await openssl(args, publicKey);
  expect(stdout + stderr).toContain('Verified Successfully');
};

/** `openssl pkeyutl` over a message; Ed25519 is told by the length of its public key. */
export const openssl = (args: readonly string[], publicKey: string): Promise<Ended> =>
  run('openssl', ['pkeyutl', '-rawin', ...(isEd25519(publicKey) ? [] : ['-digest', 'sha256']), ...args]);

const isEd25519 = (pem: string): boolean => pem.replace(/-----[^-]+-----|\s/g, '').length < 80;

/** The key's public half as PEM; empty for schemes without that form. */
export const publicKeyOf = async (device: Device, keyId: string): Promise<string> =>
  ((await succeed(['show', keyId, ...device.args]))['forms'] as { pem?: string }).pem ?? '';

/** A share that once counted counts no more: the server refuses it, and nothing is signed. */
export const expectUseless = async (world: World, device: Device, keyId: string): Promise<void> => {
  const file = join(world.folder('stolen'), 'file');
  writeFileSync(file, message);
  const ended = await keepset(['sign', file, '--as', 'raw', '--key', keyId, '--json', ...device.args]);
  expect(ended.code).not.toBe(0);
  expect(ended.stdout).toMatch(/abort\/wrong-epoch|policy\/revoked/);
};
