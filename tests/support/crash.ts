/**
 * Devices and a commitment server in one process, over the real store and the real files, each of which can be made to
 * die at any operation.
 *
 * A side that dies is not thrown at: whatever it had called simply never returns, so no handler or `finally` of its
 * runs, as after a power cut. It is then opened again from what lies on disk; the server from a copy of its files as
 * they lay at that moment.
 */
import { copyFileSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { KeepsetError } from '@keepset/bytes';
import {
  party1Handler,
  shareFileVault,
  supportedSchemes,
  type Caller,
  type DeviceParty,
  type Party1Handler,
  type Party1Store,
  type ShareSealer,
} from '@keepset/ceremony';
import { printVerifierKey } from '@keepset/log';
import { nodeFileSystem, openFilePlace, scryptInThreadPool, type FileSystem } from '@keepset/places';
import type { PartyTransport } from '@keepset/transport';
import {
  decodeSessionOutcome,
  decodeStepResponse,
  encodeSessionOutcome,
  encodeStepRequest,
  generateIdentity,
  openingKeyOf,
  signerOf,
  type DeviceIdentity,
  type StepRequest,
} from '@keepset/wire';
import { fileBans } from '../../apps/cli/src/home/bans.ts';
import { fileJournal } from '../../apps/cli/src/home/journal.ts';
import { fileLock } from '../../apps/cli/src/home/lock.ts';
import { fileLogPin } from '../../apps/cli/src/home/log-pin.ts';
import { homePaths } from '../../apps/cli/src/home/paths.ts';
import { filePresignatures } from '../../apps/cli/src/home/presignatures.ts';
import { enrolmentStore } from '../../apps/server/src/enrolment/store.ts';
import { loadLogSigner, serverSecrets } from '../../apps/server/src/secrets/identity.ts';
import { fileKek } from '../../apps/server/src/secrets/kek.ts';
import { shareSealer } from '../../apps/server/src/secrets/shares.ts';
import { openDatabase, type Database } from '../../apps/server/src/store/database.ts';
import { logStore, type LogStore } from '../../apps/server/src/store/log.ts';
import { partyStore } from '../../apps/server/src/store/party.ts';
import { temporaryFolder } from './folders.ts';
import { mortal, mortalLock, newLife, type Life } from './life.ts';

/** What a device is, apart from what lies on disk. */
export interface DeviceFiles {
  readonly home: string;
  /** Where what no backup may bring back lies. */
  readonly volatile: string;
  readonly identity: DeviceIdentity;
  readonly caller: Caller;
}

/** Devices and their server. */
export interface World {
  /** Folder of the server: `data/` and `kek`. */
  server: string;
  readonly logKey: string;
  /** By party. */
  readonly devices: ReadonlyMap<string, DeviceFiles>;
}

/** The device that plays a party. */
export const deviceOf = ({ devices }: World, party = 'phone'): DeviceFiles => {
  const device = devices.get(party);
  if (device === undefined) throw new Error(`nobody plays ${party}`);
  return device;
};

const now = (): number => Math.floor(Date.now() / 1000);

/** A server with enrolled devices of one user, which have no key yet. */
export const newWorld = async (parties: readonly string[] = ['phone']): Promise<World> => {
  const server = temporaryFolder();
  mkdirSync(join(server, 'data'));
  const { database, logKey } = await openStores(server);
  const enrolments = enrolmentStore(database);
  const devices = new Map<string, DeviceFiles>();
  for (const [at, party] of parties.entries()) {
    const identity = await generateIdentity();
    const device = { device: `d${at}`, authKey: `k${at}`, publicKey: identity.publicSigningKey, party };
    const code = new Uint8Array(32).fill(at);
    enrolments.addCode(code, at === 0 ? undefined : 't1', now() + 60);
    if (enrolments.enrol(code, device, 't1', now()) === undefined)
      throw new Error('the device was not enrolled');
    const caller = { tenant: 't1', device: device.device, party };
    devices.set(party, { home: temporaryFolder(), volatile: temporaryFolder(), identity, caller });
  }
  database.close();
  return { server, logKey, devices };
};

/** An independent copy of everything on disk. */
export const copyOf = (world: World): World => ({
  ...world,
  server: imageOf(world.server),
  devices: new Map(
    [...world.devices].map(([party, { home, volatile, ...rest }]) => [
      party,
      { ...rest, home: imageOf(home), volatile: imageOf(volatile) },
    ]),
  ),
});

/** Everything in a folder as it lies now. */
const imageOf = (folder: string): string => {
  const image = temporaryFolder();
  copyFolder(folder, image);
  return image;
};

/** Copies files and folders with their permissions, without asking anybody to close anything. */
const copyFolder = (from: string, to: string): void => {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      mkdirSync(target, { mode: statSync(source).mode & 0o777 });
      copyFolder(source, target);
    } else if (!entry.name.endsWith('-shm')) copyFileSync(source, target);
  }
};

/** What a server stands on. */
export interface Stores {
  readonly database: Database;
  readonly store: Party1Store;
  readonly sealer: ShareSealer;
  readonly log: LogStore;
  /** Verifier key of its log. */
  readonly logKey: string;
}

/** The server’s store and what it seals shares with, as they lie in `folder`. */
export const openStores = async (folder: string): Promise<Stores> => {
  const database = openDatabase(join(folder, 'data', 'keepset.db'));
  const kek = fileKek(join(folder, 'kek'), { create: true });
  const logSigner = await loadLogSigner(serverSecrets(database, kek), 'keepset.log/test');
  const log = logStore(database, logSigner);
  return {
    database,
    log,
    store: partyStore(database, log, now),
    sealer: shareSealer(kek, 'server'),
    logKey: printVerifierKey(logSigner.key),
  };
};

/** A server that was started. */
export interface OpenServer {
  readonly handler: Party1Handler;
  readonly life: Life;
  readonly database: Database;
  readonly log: LogStore;
  /** Requests it is working on. */
  readonly running: Set<Promise<unknown>>;
  /** Lets the time run that requests wait for news: somebody who could bring some has died. */
  readonly passTime: () => void;
}

/** Starts the world's server; at its death its files are copied, and the world's server is the copy from then on. */
export const openServer = async (world: World, end = Infinity): Promise<OpenServer> => {
  const { server: folder } = world;
  const life = newLife(end, () => {
    world.server = imageOf(folder);
  });
  const { database, store, sealer, log } = await openStores(folder);
  const { now: clock, sleep, passTime } = haltedClock();
  const handler = party1Handler({
    party: 'server',
    schemes: supportedSchemes,
    store: mortal(store, 'store', life),
    sealer: mortal(sealer, 'sealer', life),
    now: clock,
    sleep,
  });
  return { handler, life, database, log, running: new Set(), passTime };
};

/**
 * A clock that stands still, so that nobody gives up on whoever is only slow; once it runs, whoever sleeps wakes at
 * once, and the time has passed.
 */
const haltedClock = (): { now: () => number; sleep: (ms: number) => Promise<void>; passTime: () => void } => {
  const { promise: running, resolve: passTime } = Promise.withResolvers<void>();
  let time = 0;
  return {
    now: () => time,
    passTime,
    sleep: async (ms) => {
      await running;
      await setImmediate();
      time += ms;
    },
  };
};

/** What goes over the wire, in bytes. */
export interface Wire {
  /** Encoded answers that left the server. */
  readonly released: Uint8Array[];
  /** Requests that were sent. */
  readonly requests?: StepRequest[];
}

/** The way from device to server: encodes and decodes as HTTP does, and breaks when the server dies. */
export const wireTo = (
  { handler, life, running, log }: OpenServer,
  caller: Caller,
  { released, requests }: Wire = { released: [] },
): PartyTransport => {
  const orBroken = async <T>(work: () => Promise<T>): Promise<T> => {
    if (life.isDead()) throw broken();
    const answer = work();
    running.add(answer);
    answer.then(
      () => running.delete(answer),
      () => running.delete(answer),
    );
    return Promise.race([answer, life.death.then(() => Promise.reject(broken()))]);
  };
  return {
    step: (request) =>
      orBroken(async () => {
        requests?.push(request);
        const answer = await handler.step(caller, request.session, request.step, encodeStepRequest(request));
        await life.pass('before the answer is sent');
        released.push(answer);
        return decodeStepResponse(answer);
      }),
    resolve: (session, request) =>
      orBroken(async () => {
        const outcome = await handler.resolve(caller, session, request);
        await life.pass('before the answer is sent');
        return decodeSessionOutcome(encodeSessionOutcome(outcome));
      }),
    keys: () => orBroken(() => handler.keys(caller)),
    checkpoint: () => Promise.resolve(log.checkpoint()),
    freeze: (keyId, request) => orBroken(() => handler.freeze(caller, keyId, request)),
    announceExport: (keyId, request) => orBroken(() => handler.announceExport(caller, keyId, request)),
    invite: () => Promise.reject(new Error('nobody is invited here')),
  };
};

const broken = (): KeepsetError => new KeepsetError('transport/unreachable', 'The connection broke.');

/** Where operations of a device can be its last: at its ports, or at the single file operations of its share place. */
export type Granularity = 'ports' | 'files';

/** Which device to open, and how long it lives. */
export interface DeviceLife {
  readonly party?: string;
  readonly life?: Life;
  readonly granularity?: Granularity;
}

/** Opens a device of the world from what lies in its folders. May never return, if its life ends in it. */
export const openDevice = async (
  world: World,
  transport: PartyTransport,
  { party = 'phone', life = newLife(), granularity = 'ports' }: DeviceLife = {},
): Promise<DeviceParty> => {
  const { home, volatile, identity, caller } = deviceOf(world, party);
  const inFiles = granularity === 'files';
  const paths = homePaths({ home });
  const files: FileSystem = inFiles ? mortal(nodeFileSystem, 'files', life) : nodeFileSystem;
  const vault = shareFileVault({
    place: await openFilePlace(paths.shares, files),
    recipient: identity.recipient,
    openingKey: openingKeyOf(identity),
    signer: signerOf(identity),
    now: () => new Date().toISOString(),
  });
  const presignatures = filePresignatures({
    folder: join(volatile, 'presignatures'),
    recipient: identity.recipient,
    openingKey: openingKeyOf(identity),
    onDamaged: (path) => {
      throw new Error(`${path} is damaged`);
    },
  });
  const lock = fileLock(paths.lock);
  const wrap = <T extends object>(port: T, name: string): T => (inFiles ? port : mortal(port, name, life));
  return {
    party,
    serverParty: 'server',
    account: caller,
    logKey: world.logKey,
    transport: wrap(transport, 'transport'),
    vault: wrap(vault, 'vault'),
    journal: wrap(fileJournal(paths.journal), 'journal'),
    presignatures: wrap(presignatures, 'presignatures'),
    bans: wrap(fileBans(paths.bans), 'bans'),
    logPin: wrap(fileLogPin(paths.logPin, lock), 'logPin'),
    exclusively: mortalLock(lock, life),
    // Nobody compares digits here, so they need not be costly.
    scrypt: (secret, salt) => scryptInThreadPool(secret, salt, 1),
  };
};

/** Lets a living server finish what it was asked, when the asking device has died. */
export const finishRequests = async ({ running, life }: OpenServer): Promise<void> => {
  await Promise.race([Promise.allSettled(running), life.death]);
};

/** Ends a server for good, so that its files can go. */
export const closeServer = ({ database }: OpenServer): void => {
  if (database.isOpen) database.close();
};
