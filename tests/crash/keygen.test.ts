/**
 * Either side dies at every operation of a key generation, and again while settling it. Whatever happens, the key is
 * usable on both sides afterwards or exists on neither.
 */
import { readdirSync } from 'node:fs';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { utf8ToBytes } from '@keepset/bytes';
import {
  protocolFor,
  runKeygen,
  runSign,
  settleOpenSessions,
  type DeviceParty,
  type Scheme,
  type SettledSession,
} from '@keepset/ceremony';
import { openFilePlace } from '@keepset/places';
import { homePaths } from '../../apps/cli/src/home/paths.ts';
import {
  closeServer,
  copyOf,
  finishRequests,
  newWorld,
  newLife,
  openDevice,
  openServer,
  untilDeath,
  wireTo,
  type Granularity,
  type Life,
  type World,
} from '../support/crash.ts';

// Many real processes or runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const policy = 'and(server,phone)';

/** How a run ends: nobody, the device or the server dies at a moment. */
interface Deaths {
  readonly device?: number;
  readonly granularity?: Granularity;
  readonly server?: number;
}

interface Lives {
  readonly device: Life;
  readonly server: Life;
}

/** Runs `work` on a freshly opened device against a freshly opened server until it ends or somebody dies. */
const runOnce = async (
  world: World,
  deaths: Deaths,
  work: (device: DeviceParty) => Promise<unknown>,
): Promise<Lives> => {
  const server = await openServer(world, deaths.server);
  const life = newLife(deaths.device);
  try {
    const opened = openDevice(world, wireTo(server, world.caller), life, deaths.granularity);
    await untilDeath(opened.then(work), life);
    await finishRequests(server);
    return { device: life, server: server.life };
  } finally {
    closeServer(server);
  }
};

const keygen = (world: World, scheme: Scheme, deaths: Deaths) =>
  runOnce(world, deaths, (device) => runKeygen(device, { scheme, policy }));
const settle = (world: World, deaths: Deaths = {}) => runOnce(world, deaths, settleOpenSessions);

/** Settles, and then insists on all that was promised. */
const expectWhole = async (world: World): Promise<SettledSession['outcome'] | 'nothing open'> => {
  const server = await openServer(world);
  try {
    const device = await openDevice(world, wireTo(server, world.caller));
    const settled = await settleOpenSessions(device);
    expect(settled.length).toBeLessThanOrEqual(1);
    expect(await device.journal.list()).toEqual([]);
    expect(await settleOpenSessions(device)).toEqual([]);

    const [local, remote] = [await device.vault.list(), await device.transport.keys()];
    // On both sides or on neither, and never more than the old key and the new one.
    expect([...local].sort()).toEqual(remote.map(({ keyId }) => keyId).sort());
    expect(remote.every(({ state }) => state === 'active')).toBe(true);
    expect(remote.length).toBeGreaterThanOrEqual(1);
    expect(remote.length).toBeLessThanOrEqual(2);
    const copies = await (await openFilePlace(homePaths({ home: world.home }).shares)).list();
    expect(copies.map(({ state }) => state)).toEqual(local.map(() => 'current'));

    for (const keyId of local) {
      const request = { message: utf8ToBytes(`with ${keyId}`), digest: 'none' } as const;
      const { group, signature } = await runSign(device, { keyId, request });
      expect(protocolFor(group.scheme).verify(group, request, signature)).toBe(true);
    }
    const [only] = settled;
    // What the command line tells people is what is the case.
    if (only !== undefined) {
      expect(only.outcome).not.toBe('undecided');
      expect(local.includes(only.keyId)).toBe(only.outcome === 'completed');
    }
    return only?.outcome ?? 'nothing open';
  } finally {
    closeServer(server);
  }
};

/** A world with one key, so that there is something to lose. */
let template: World;
beforeAll(async () => {
  template = await newWorld();
  await keygen(template, 'ed25519', {});
});

const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

describe.each<Scheme>(['ed25519', 'schnorr-secp256k1'])('a key generation, %s', (scheme) => {
  it('goes through when nobody dies', async () => {
    const world = copyOf(template);
    const lives = await keygen(world, scheme, {});
    expect(lives.device.moments.length).toBeGreaterThan(14);
    expect(lives.server.moments.length).toBeGreaterThan(6);
    for (const name of ['journal.add', 'vault.putPending', 'logPin.save', 'vault.promote', 'journal.remove'])
      expect(lives.device.moments).toContain(`after ${name}`);
    expect(await expectWhole(world)).toBe('nothing open');
  });

  it('in which the device dies at any of its operations', async () => {
    const { moments } = (await keygen(copyOf(template), scheme, {})).device;
    const outcomes = new Map<string, string>();
    for (const at of numbers(moments.length)) {
      const world = copyOf(template);
      const { device } = await keygen(world, scheme, { device: at });
      expect(device.isDead()).toBe(true);
      outcomes.set(`${at} ${moments[at]}`, await expectWhole(world));
    }
    // Each way of ending has been seen, and the turning point is where it belongs.
    expect(new Set(outcomes.values())).toEqual(new Set(['nothing open', 'void', 'completed']));
    const [promoted] = [...outcomes].filter(([moment]) => moment.endsWith('before vault.promote'));
    expect(promoted?.[1]).toBe('completed');
  });

  it('in which the server dies at any of its operations', async () => {
    const { moments } = (await keygen(copyOf(template), scheme, {})).server;
    const outcomes = new Map<string, string>();
    for (const at of numbers(moments.length)) {
      const world = copyOf(template);
      const { server } = await keygen(world, scheme, { server: at });
      expect(server.isDead()).toBe(true);
      outcomes.set(`${at} ${moments[at]}`, await expectWhole(world));
    }
    expect(new Set(outcomes.values())).toEqual(new Set(['nothing open', 'void', 'completed']));
    const commit = [...outcomes].filter(([moment]) => moment.includes('store.commit'));
    expect(commit.map(([, outcome]) => outcome)).toEqual(['void', 'completed']);
  });
});

/** What lies on disk on both sides, without what is random in it. */
const traceOf = async (world: World): Promise<string> => {
  const names = readdirSync(world.home, { recursive: true, encoding: 'utf8' }).map((name) =>
    name
      .replaceAll(/[0-9a-f]{64}/g, 'session')
      .replaceAll(/[a-z2-7]{26}/g, 'key')
      .replaceAll(/[0-9a-f]{12,16}\.tmp/g, 'tmp'),
  );
  const server = await openServer(world);
  const sessions = server.database.prepare('SELECT state, answer IS NULL AS open FROM sessions').all();
  const keys = server.database.prepare('SELECT count(*) AS n FROM keys').get();
  closeServer(server);
  return JSON.stringify([names.sort(), sessions, keys]);
};

/** The moments before operations: after one and before the next, the same lies on disk. */
const beginnings = (moments: readonly string[]): number[] =>
  numbers(moments.length).filter((at) => !moments[at]!.startsWith('after'));

describe('a key generation', () => {
  it('in which the device dies at any file operation of its share place', async () => {
    const { moments } = (await keygen(copyOf(template), 'ed25519', { granularity: 'files' })).device;
    expect(moments).toContain('half-way through files.file.write');
    const seen = new Set<string>();
    for (const at of beginnings(moments)) {
      const world = copyOf(template);
      const { device } = await keygen(world, 'ed25519', { device: at, granularity: 'files' });
      expect(device.isDead()).toBe(true);
      const trace = await traceOf(world);
      if (!seen.has(trace)) await expectWhole(world);
      seen.add(trace);
    }
    // Nothing; the journal; a temporary file; a pending copy; committed; promoted; done.
    expect(seen.size).toBeGreaterThanOrEqual(6);
  });

  it('in which one side dies, and then the other or the same one while it is settled', async () => {
    const lives = await keygen(copyOf(template), 'ed25519', {});
    const firsts: Deaths[] = [
      ...beginnings(lives.device.moments).map((at) => ({ device: at })),
      ...beginnings(lives.server.moments).map((server) => ({ server })),
    ];
    const seen = new Set<string>();
    let settled = 0;
    for (const first of firsts) {
      const cutOff = copyOf(template);
      await keygen(cutOff, 'ed25519', first);
      const trace = await traceOf(cutOff);
      const settling = await settle(copyOf(cutOff));
      // Nothing is open, or a state like this one was settled already.
      if (settling.server.moments.length === 0 || seen.has(trace)) continue;
      seen.add(trace);
      const seconds: Deaths[] = [
        ...numbers(settling.device.moments.length).map((at) => ({ device: at })),
        ...numbers(settling.server.moments.length).map((server) => ({ server })),
      ];
      for (const second of seconds) {
        const world = copyOf(cutOff);
        await settle(world, second);
        await expectWhole(world);
        settled += 1;
      }
    }
    // Journal only; pending here; pending here and committed there; current here and committed there.
    expect(seen.size).toBeGreaterThanOrEqual(4);
    expect(settled).toBeGreaterThan(40);
  });

  it('is left as it is while the server cannot be asked', async () => {
    const world = copyOf(template);
    const { moments } = (await keygen(copyOf(template), 'ed25519', {})).device;
    await keygen(world, 'ed25519', { device: moments.indexOf('before vault.promote') });
    const server = await openServer(world, 0);
    const device = await openDevice(world, wireTo(server, world.caller));
    for (let time = 0; time < 3; time += 1)
      expect(await settleOpenSessions(device)).toMatchObject([
        { outcome: 'undecided', error: { code: 'transport/unreachable' } },
      ]);
    closeServer(server);
    expect(await device.journal.list()).toHaveLength(1);
    expect(await device.vault.list()).toHaveLength(1);
    expect(await expectWhole(world)).toBe('completed');
  });
});
