/**
 * Either side dies at every operation of a key generation, and again while settling it. Whatever happens, the key is
 * usable on both sides afterwards or exists on neither.
 */
import { beforeAll, describe, expect, it, vi } from 'vitest';
import {
  protocolFor,
  runKeygen,
  runSign,
  settleOpenSessions,
  type Scheme,
  type SettledSession,
} from '@keepset/ceremony';
import { openFilePlace } from '@keepset/places';
import { homePaths } from '../../apps/cli/src/home/paths.ts';
import {
  beginnings,
  dieEverywhere,
  foundAfter,
  momentsOf,
  play,
  requestFor,
  traceOf,
  withDevices,
  type Ceremony,
  type Choice,
  type Death,
} from '../support/ceremonies.ts';
import {
  closeServer,
  copyOf,
  deviceOf,
  newWorld,
  openDevice,
  openServer,
  wireTo,
  type World,
} from '../support/crash.ts';

// Many real processes or runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const policy = 'and(server,phone)';

const keygenOf = (scheme: Scheme): Ceremony => ({
  starts: 'phone',
  start: (device) => runKeygen(device, { scheme, policy }),
});
const settling: Ceremony = { starts: 'phone', start: settleOpenSessions };

/** Settles, and then insists on all that was promised. */
const expectWhole = (world: World): Promise<SettledSession['outcome'] | 'nothing open'> =>
  withDevices(world, async (devices) => {
    const device = devices.get('phone')!;
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
    const copies = await (await openFilePlace(homePaths({ home: deviceOf(world).home }).shares)).list();
    expect(copies.map(({ state }) => state)).toEqual(local.map(() => 'current'));

    for (const { keyId, scheme } of remote) {
      const request = requestFor(scheme, `with ${keyId}`);
      const { group, signature } = await runSign(device, { keyId, request });
      expect(protocolFor(scheme).verify(group, request, signature)).toBe(true);
    }
    const [only] = settled;
    // What the command line tells people is what is the case.
    if (only !== undefined) {
      expect(only.outcome).not.toBe('undecided');
      expect(local.includes(only.keyId)).toBe(only.outcome === 'completed');
    }
    return only?.outcome ?? 'nothing open';
  });

/** A world with one key, so that there is something to lose. */
let template: World;
beforeAll(async () => {
  template = await newWorld();
  await play(template, keygenOf('ed25519'));
});

/** A run of ECDSA costs a second: of two moments between which nothing happens, one. */
const everywhere: Choice = () => true;

describe.each<{ scheme: Scheme; choose: Choice; which: string }>([
  { scheme: 'ed25519', choose: everywhere, which: 'at any' },
  { scheme: 'schnorr-secp256k1', choose: everywhere, which: 'at any' },
  { scheme: 'ecdsa-secp256k1', choose: beginnings, which: 'before any' },
])('a key generation, $scheme', ({ scheme, choose, which }) => {
  const keygen = keygenOf(scheme);

  it('goes through when nobody dies', async () => {
    const world = copyOf(template);
    const lives = await play(world, keygen);
    expect(lives.get('phone')?.moments.length).toBeGreaterThan(14);
    expect(lives.get('server')?.moments.length).toBeGreaterThan(6);
    for (const name of ['journal.add', 'vault.putPending', 'logPin.save', 'vault.promote', 'journal.remove'])
      expect(lives.get('phone')?.moments).toContain(`after ${name}`);
    expect(await expectWhole(world)).toBe('nothing open');
  });

  it(`in which the device dies ${which} of its operations`, async () => {
    const seen = await dieEverywhere(template, keygen, 'phone', expectWhole, choose);
    // Each way of ending has been seen, and the turning point is where it belongs.
    const found = new Set(seen.map((each) => each.found));
    expect(found).toEqual(new Set(['nothing open', 'void', 'completed']));
    expect(foundAfter(seen, 'before vault.promote')).toBe('completed');
  });

  it(`in which the server dies ${which} of its operations`, async () => {
    const seen = await dieEverywhere(template, keygen, 'server', expectWhole, choose);
    expect(foundAfter(seen, 'before store.commit')).toBe('void');
    expect(foundAfter(seen, 'before the answer is sent')).toBe('completed');
  });
});

describe('a key generation', () => {
  const keygen = keygenOf('ed25519');

  it('in which the device dies at any file operation of its share place', async () => {
    const moments: string[] = [];
    const seen = new Set<string>();
    for (let at = 0; ; at += 1) {
      const world = copyOf(template);
      const life = (await play(world, keygen, { who: 'phone', at, granularity: 'files' })).get('phone')!;
      if (!life.isDead()) break;
      moments.push(life.moments.at(-1)!);
      const trace = await traceOf(world);
      if (!seen.has(trace)) await expectWhole(world);
      seen.add(trace);
    }
    expect(moments).toContain('half-way through files.file.write');
    // Nothing; the journal; a temporary file; a pending copy; committed; promoted; done.
    expect(seen.size).toBeGreaterThanOrEqual(6);
  });

  it('in which one side dies, and then the other or the same one while it is settled', async () => {
    const firsts: Death[] = [];
    for (const who of ['phone', 'server'])
      (await momentsOf(template, keygen, who)).forEach((moment, at) => {
        if (beginnings(moment, at)) firsts.push({ who, at });
      });
    const seen = new Set<string>();
    let settled = 0;
    for (const first of firsts) {
      const cutOff = copyOf(template);
      await play(cutOff, keygen, first);
      const trace = await traceOf(cutOff);
      // Nothing is open, or a state like this one was settled already.
      if (seen.has(trace) || (await momentsOf(cutOff, settling, 'server')).length === 0) continue;
      seen.add(trace);
      for (const who of ['phone', 'server'])
        settled += (await dieEverywhere(cutOff, settling, who, expectWhole)).length;
    }
    // Journal only; pending here; pending here and committed there; current here and committed there.
    expect(seen.size).toBeGreaterThanOrEqual(4);
    expect(settled).toBeGreaterThan(40);
  });

  it('is left as it is while the server cannot be asked', async () => {
    const world = copyOf(template);
    const at = (await momentsOf(template, keygen, 'phone')).indexOf('before vault.promote');
    await play(world, keygen, { who: 'phone', at });
    const server = await openServer(world, 0);
    const device = await openDevice(world, wireTo(server, deviceOf(world).caller));
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
