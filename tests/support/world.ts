/** A server as a process of its own, and people with devices: what they have at first, and what happens to them. */
import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { deviceAt, joining, succeed, together, type Device } from './commands.ts';
import { temporaryFolder } from './folders.ts';
import { folderOptions, serve, serverFolders, type Serving } from './processes.ts';

/** A server with its operator. */
export interface World {
  readonly server: () => Serving;
  /** The server's data folder. */
  readonly data: string;
  /** Starts the server again, after it was stopped, at the same address. */
  restart(): Promise<void>;
  /** Options by which the operator's commands find the server's data. */
  readonly operator: readonly string[];
  /** What the operator says: an invitation for a new user (at first the one the server begins with), or for the user of a key. */
  invite(keyId?: string): Promise<string>;
  approve(keyId: string): Promise<string>;
  folder(name: string): string;
}

/** Starts a server. */
export const newWorld = async (): Promise<World> => {
  const folders = serverFolders();
  let server = await serve(folders);
  let first = server.invitation;
  const work = temporaryFolder();
  const operator = folderOptions(folders);
  let made = 0;
  return {
    operator,
    server: () => server,
    data: folders.data,
    restart: async () => {
      server = await serve(folders, ['--port', server.port]);
    },
    invite: async (keyId) => {
      if (keyId === undefined && first !== null) {
        const invitation = first;
        first = null;
        return invitation;
      }
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

/** A home that nobody has used. */
export const emptyHome = (world: World, name = 'home'): Device => deviceAt(join(world.folder(name), 'home'));

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

/** A new user with a phone and a laptop. */
export const phoneAndLaptop = async (world: World): Promise<{ phone: Device; laptop: Device }> => {
  const phone = await newPhone(world);
  return { phone, laptop: await addDevice(world, phone, 'laptop') };
};

/** Makes a key with `keygen`, which other parties' devices join; its id. */
export const makeKey = async (
  { args }: Device,
  options: readonly string[] = [],
  others: Readonly<Record<string, Device>> = {},
): Promise<string> => {
  const keygen = ['keygen', ...options, ...args];
  const joins = Object.entries(others).map(([party, device]) => [party, joining(device)] as const);
  const made = joins.length === 0 ? succeed(keygen) : together(keygen, Object.fromEntries(joins));
  return (await made)['keyId'] as string;
};

/** The key's public half as PEM; empty for schemes without that form. */
export const publicKeyOf = async ({ args }: Device, keyId: string): Promise<string> =>
  ((await succeed(['show', keyId, ...args]))['forms'] as { pem?: string }).pem ?? '';

/** Somebody with a phone, and a key of it and the server. */
export interface Person {
  readonly phone: Device;
  readonly keyId: string;
  /** As PEM. */
  readonly publicKey: string;
}

export const newPerson = async (world: World, scheme = 'ed25519'): Promise<Person> => {
  const phone = await newPhone(world);
  const keyId = await makeKey(phone, ['--scheme', scheme]);
  return { phone, keyId, publicKey: await publicKeyOf(phone, keyId) };
};

/** The device is gone, with everything on it: this is what its finder has. */
export const takenAway = (world: World, device: Device): Device => {
  const taken = emptyHome(world, 'taken');
  renameSync(device.home, taken.home);
  return taken;
};
