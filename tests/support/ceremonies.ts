/**
 * Ceremonies between devices and a server of which one dies at a moment of its own, and what must be the case
 * afterwards, whoever died and when.
 */
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { expect } from 'vitest';
import { utf8ToBytes } from '@keepset/bytes';
import {
  joinGroup,
  joinKeygen,
  joinSign,
  protocolFor,
  runKeygen,
  runSign,
  settleOpenSessions,
  signWith,
  type DeviceParty,
  type Group,
  type GroupKey,
  type GroupPrompts,
  type KeyShare,
  type Scheme,
  type SignRequest,
} from '@keepset/ceremony';
import { openFilePlace } from '@keepset/places';
import { homePaths } from '../../apps/cli/src/home/paths.ts';
import { hashOfCode } from '../../apps/server/src/secrets/codes.ts';
import {
  closeServer,
  copyOf,
  deviceOf,
  finishRequests,
  openDevice,
  openServer,
  openStores,
  wireTo,
  type Granularity,
  type World,
} from './crash.ts';
import { newLife, untilDeath, type Life } from './life.ts';

/** What devices do together. */
export interface Ceremony {
  /** The party whose device starts it. */
  readonly starts: string;
  readonly start: (device: DeviceParty, prompts: GroupPrompts) => Promise<unknown>;
  /** What other devices do once they have joined. */
  readonly join?: (device: DeviceParty, group: Group) => Promise<unknown>;
}

/** Who dies, and at which of its moments. */
export interface Death {
  /** `server`, or the party of a device. */
  readonly who: string;
  readonly at: number;
  readonly granularity?: Granularity;
}

/** The lives of all who took part, by party. */
export type Lives = ReadonlyMap<string, Life>;

/**
 * Opens server and devices from what lies on disk and lets them go through a ceremony until each has ended, well or
 * not, or died. Whoever waits for a dead one waits as long as it would, and gives up.
 */
export const play = async (
  world: World,
  { starts, start, join }: Ceremony,
  death?: Death,
): Promise<Lives> => {
  const endOf = (who: string): number => (death?.who === who ? death.at : Infinity);
  const server = await openServer(world, endOf('server'));
  const lives = new Map([['server', server.life]]);
  const going: Promise<void>[] = [];
  const enter = (party: string, work: (device: DeviceParty) => Promise<unknown>): void => {
    const life = newLife(endOf(party), server.passTime);
    lives.set(party, life);
    const transport = wireTo(server, deviceOf(world, party).caller);
    const granularity = death?.granularity ?? 'ports';
    const working = openDevice(world, transport, { party, life, granularity }).then(work);
    working.catch(server.passTime);
    going.push(untilDeath(working, life));
  };
  const prompts: GroupPrompts = {
    announce: ({ codes }) => {
      for (const { party, code } of codes)
        enter(party, async (device) => join?.(device, await joinGroup(device, code)));
    },
    compare: () => Promise.resolve(),
  };
  try {
    enter(starts, (device) => start(device, prompts));
    // Others come in on the way.
    for (let at = 0; at < going.length; at += 1) await going[at];
    await finishRequests(server);
    return lives;
  } finally {
    closeServer(server);
  }
};

/** The moments one side passes when nobody dies. */
export const momentsOf = async (
  template: World,
  ceremony: Ceremony,
  who: string,
): Promise<readonly string[]> => (await play(copyOf(template), ceremony)).get(who)?.moments ?? [];

/** A moment of a side, and what was found after it had died there. */
export interface Seen<T> {
  readonly moment: string;
  readonly found: T;
}

/** Which of the moments to die at. Runs of costly ceremonies leave some out. */
export type Choice = (moment: string, at: number) => boolean;

/** Between the end of one operation and the beginning of the next, nothing lies on disk that did not before. */
export const beginnings: Choice = (moment) => !moment.startsWith('after');

/**
 * Plays the ceremony again and again, each time in a copy of the world, with one side dying at each of its moments.
 * @param choose of the moments of a run in which nobody died; all of them by default.
 */
export const dieEverywhere = async <T>(
  template: World,
  ceremony: Ceremony,
  who: string,
  check: (world: World, at: number) => Promise<T>,
  choose?: Choice,
): Promise<readonly Seen<T>[]> => {
  const expected = choose === undefined ? [] : await momentsOf(template, ceremony, who);
  const seen: Seen<T>[] = [];
  for (let at = 0; ; at += 1) {
    const moment = expected[at];
    if (moment !== undefined && choose?.(moment, at) === false) continue;
    const world = copyOf(template);
    const life = (await play(world, ceremony, { who, at })).get(who);
    const found = await check(world, at);
    // The order in which several devices get news may differ from run to run: the end is where nobody dies any more.
    if (life?.isDead() !== true) return seen;
    seen.push({ moment: life.moments.at(-1) ?? '', found });
  }
};

/** The request to sign a text, in the form the scheme takes. */
export const requestFor = (scheme: Scheme, text = 'hello'): SignRequest => ({
  message:
    scheme === 'schnorr-secp256k1'
      ? new Uint8Array(createHash('sha256').update(text).digest())
      : utf8ToBytes(text),
  digest: scheme.startsWith('ecdsa') ? 'sha256' : 'none',
});

/** A key that lies in a world, as it was before anything happened to it. */
export interface KeyBefore {
  readonly group: GroupKey;
  /** The devices' shares, by party. */
  readonly shares: ReadonlyMap<string, KeyShare>;
}

/** Makes a key between the server and the devices that a policy names. */
export const makeKey = async (
  world: World,
  order: { scheme: Scheme; policy: string },
): Promise<KeyBefore> => {
  const made = Promise.withResolvers<GroupKey>();
  await play(world, {
    starts: 'phone',
    start: (device, prompts) => runKeygen(device, order, prompts).then(made.resolve, made.reject),
    join: joinKeygen,
  });
  const group = await made.promise;
  const shares = new Map<string, KeyShare>();
  await withDevices(world, async (devices) => {
    for (const [party, { vault }] of devices)
      if (group.parties.includes(party)) shares.set(party, await vault.open(group.keyId));
  });
  return { group, shares };
};

/** The operator's approval of one change of a key. @returns its code */
export const approve = async (world: World, keyId: string, code = 'approved'): Promise<string> => {
  const { database } = await openStores(world.server);
  database
    .prepare('INSERT INTO approvals (code_hash, key_id, expires_at) VALUES (?, ?, ?)')
    .run(hashOfCode(code), keyId, Math.floor(Date.now() / 1000) + 3600);
  database.close();
  return code;
};

/** Opens all devices of a world and its server, afresh. */
export const withDevices = async <T>(
  world: World,
  work: (devices: ReadonlyMap<string, DeviceParty>) => Promise<T>,
): Promise<T> => {
  const server = await openServer(world);
  try {
    const devices = new Map<string, DeviceParty>();
    for (const [party, { caller }] of world.devices)
      devices.set(party, await openDevice(world, wireTo(server, caller), { party }));
    return await work(devices);
  } finally {
    closeServer(server);
  }
};

/** What a ceremony promises: which devices hold a share if nothing comes of it, and which if it is done. */
export interface Promised {
  readonly before: KeyBefore;
  readonly old: readonly string[];
  readonly done: readonly string[];
  /** Whether it leads to a new epoch. */
  readonly advances: boolean;
  /** Whether all devices and the server are to sign together too, with each pair's set-up. */
  readonly together?: boolean;
}

/** What became of a ceremony. */
export type Became = 'old' | 'done';

/**
 * Settles on every device, and then insists on all that was promised: all sides are where they were, or all have the
 * new shares; the shares sign; those of an old epoch are refused; nothing stays open or pending; people are told what
 * is the case.
 * @param order in which the devices settle, by party.
 */
export const expectWhole = async (
  world: World,
  promised: Promised,
  order: readonly string[] = [...world.devices.keys()],
): Promise<Became> => {
  const { before, old, done, advances } = promised;
  const { keyId, epoch } = before.group;
  const became = await withDevices(world, async (devices) => {
    const settled = [];
    for (const party of order) settled.push(...(await settleOpenSessions(devices.get(party)!)));
    const holding: string[] = [];
    for (const [party, device] of devices) {
      expect(await settleOpenSessions(device)).toEqual([]);
      expect(await device.journal.list()).toEqual([]);
      expect(await copiesOf(world, party)).not.toContain('pending');
      if ((await device.vault.list()).includes(keyId)) holding.push(party);
    }
    const [remote, ...others] = await devices.get(order[0]!)!.transport.keys();
    expect(others).toEqual([]);
    expect(remote).toMatchObject({ keyId, state: 'active', publicKey: before.group.publicKey });
    const isDone = advances ? remote!.epoch !== epoch : holding.join() === done.join();
    expect(remote!.epoch).toBe(isDone && advances ? epoch + 1 : epoch);
    expect(holding).toEqual(isDone ? done : old);
    expect(settled.map(({ outcome }) => outcome)).toEqual(settled.map(() => (isDone ? 'completed' : 'void')));
    for (const party of holding) await expectSigns(devices.get(party)!, before, remote!.epoch);
    if (isDone && advances) for (const device of devices.values()) await expectOldRefused(device, before);
    return isDone ? 'done' : 'old';
  });
  if (promised.together === true && (became === 'done' ? done : old).length > 1)
    await expectSignTogether(world, before.group);
  return became;
};

const copiesOf = async (world: World, party: string): Promise<readonly string[]> =>
  (await (await openFilePlace(homePaths({ home: deviceOf(world, party).home }).shares)).list()).map(
    ({ state }) => state,
  );

const expectSigns = async (device: DeviceParty, { group }: KeyBefore, epoch: number): Promise<void> => {
  const request = requestFor(group.scheme, `signed by ${device.party}`);
  const { signature, group: now } = await runSign(device, { keyId: group.keyId, request });
  expect(protocolFor(group.scheme).verify(group, request, signature)).toBe(true);
  expect(now.epoch).toBe(epoch);
};

const expectOldRefused = async (device: DeviceParty, { group, shares }: KeyBefore): Promise<void> => {
  const share = shares.get(device.party);
  if (share === undefined) return;
  await expect(signWith(device, share, requestFor(group.scheme, 'old'))).rejects.toMatchObject({
    code: 'abort/wrong-epoch',
  });
};

/** All devices and the server in one signature: every pair's shares and set-up fit. */
export const expectSignTogether = async (world: World, group: GroupKey): Promise<void> => {
  const request = requestFor(group.scheme, 'signed by all');
  const signed = Promise.withResolvers<Uint8Array>();
  const [first = '', ...others] = world.devices.keys();
  await play(world, {
    starts: first,
    start: async (device, prompts) => {
      const share = await device.vault.open(group.keyId);
      const signing = signWith(device, share, request, { parties: others, prompts });
      await signing.then(({ signature }) => signed.resolve(signature), signed.reject);
    },
    join: async (device, joined) => joinSign(device, await device.vault.open(group.keyId), joined),
  });
  expect(protocolFor(group.scheme).verify(group, request, await signed.promise)).toBe(true);
};

/** What lies on disk on all sides, without what is random in it. */
export const traceOf = async (world: World): Promise<string> => {
  const { database } = await openStores(world.server);
  const sessions = database.prepare('SELECT state, answer IS NULL AS open FROM sessions').all();
  const keys = database.prepare('SELECT epoch FROM keys').all();
  database.close();
  const files = await Promise.all([...world.devices.values()].map(({ home }) => namesIn(home)));
  return JSON.stringify([files, sessions, keys]);
};

const namesIn = async (folder: string): Promise<readonly string[]> => {
  const names = await readdir(folder, { recursive: true });
  return names
    .map((name) =>
      name
        .replaceAll(/[0-9a-f]{64}/g, 'session')
        .replaceAll(/[a-z2-7]{26}/g, 'key')
        .replaceAll(/[0-9a-f]{12,16}\.tmp/g, 'tmp'),
    )
    .sort();
};

/**
 * A ceremony is cut off at each of the given deaths, and then its settling is, on each device that has something to
 * settle, before each operation of device and server; states on disk that were met before are not gone through again.
 * @returns how many times settling was cut off.
 */
export const dieWhileSettling = async (
  template: World,
  ceremony: Ceremony,
  deaths: readonly Death[],
  promised: Promised,
): Promise<{ readonly states: number; readonly cutOff: number }> => {
  const seen = new Set<string>();
  let cutOff = 0;
  for (const death of deaths) {
    const open = copyOf(template);
    await play(open, ceremony, death);
    const trace = await traceOf(open);
    if (seen.has(trace)) continue;
    seen.add(trace);
    for (const party of open.devices.keys()) {
      const settling: Ceremony = { starts: party, start: settleOpenSessions };
      // Where nothing is open, nobody is asked.
      if ((await momentsOf(open, settling, 'server')).length === 0) continue;
      for (const who of [party, 'server'])
        cutOff += (
          await dieEverywhere(open, settling, who, (world) => expectWhole(world, promised), beginnings)
        ).length;
    }
  }
  return { states: seen.size, cutOff };
};

/** Deaths of one side at `count` moments, spread evenly from its first to its last. */
export const spreadDeaths = async (
  template: World,
  ceremony: Ceremony,
  who: string,
  count: number,
): Promise<readonly Death[]> => {
  const { length } = await momentsOf(template, ceremony, who);
  return Array.from({ length: count }, (_, i) => ({
    who,
    at: Math.round(((length - 1) * i) / Math.max(1, count - 1)),
  }));
};

/** Now the one and now the other of two devices is the first to settle. */
export const inTurn = (at: number): readonly string[] =>
  at % 4 < 2 ? ['phone', 'laptop'] : ['laptop', 'phone'];

/** What was found after the moment of a name, the last time it occurred. */
export const foundAfter = <T>(seen: readonly Seen<T>[], moment: string): T | undefined =>
  seen.findLast((each) => each.moment === moment)?.found;
