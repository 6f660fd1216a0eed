/**
 * Any side dies at every operation of a refresh, and again while settling it: afterwards all sides are at the same
 * epoch with shares that sign together, and shares of an older epoch are refused.
 */
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { joinLife, runRefresh } from '@keepset/ceremony';
import {
  beginnings,
  dieEverywhere,
  dieWhileSettling,
  expectWhole,
  foundAfter,
  inTurn,
  makeKey,
  spreadDeaths,
  type Ceremony,
  type Promised,
} from '../support/ceremonies.ts';
import { newWorld, type World } from '../support/crash.ts';

// Many runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const refreshOf = ({ before }: Promised): Ceremony => ({
  starts: 'phone',
  start: (device, prompts) => runRefresh(device, before.group.keyId, prompts),
  join: joinLife,
});

describe('a refresh between the server and one device', () => {
  let template: World;
  let promised: Promised;
  let refresh: Ceremony;
  beforeAll(async () => {
    template = await newWorld();
    const before = await makeKey(template, { scheme: 'schnorr-secp256k1', policy: 'and(server,phone)' });
    promised = { before, old: ['phone'], done: ['phone'], advances: true };
    refresh = refreshOf(promised);
  });

  it('in which the device dies at any of its operations', async () => {
    const seen = await dieEverywhere(template, refresh, 'phone', (world) => expectWhole(world, promised));
    expect(foundAfter(seen, 'after vault.putPending')).toBe('old');
    expect(foundAfter(seen, 'after transport.step')).toBe('done');
    expect(foundAfter(seen, 'before vault.promote')).toBe('done');
  });

  it('in which the server dies at any of its operations', async () => {
    const seen = await dieEverywhere(template, refresh, 'server', (world) => expectWhole(world, promised));
    expect(foundAfter(seen, 'before store.commit')).toBe('old');
    expect(foundAfter(seen, 'after store.commit')).toBe('done');
  });

  it('in which one side dies, and then the other or the same one while it is settled', async () => {
    const deaths = [
      ...(await spreadDeaths(template, refresh, 'phone', 100)),
      ...(await spreadDeaths(template, refresh, 'server', 100)),
    ];
    const { states, cutOff } = await dieWhileSettling(template, refresh, deaths, promised);
    // Nothing; the journal; pending; committed there; promoted here; the old share gone; done.
    expect(states).toBeGreaterThanOrEqual(6);
    expect(cutOff).toBeGreaterThan(40);
  });
});

describe('a refresh between the server and two devices', () => {
  let template: World;
  let promised: Promised;
  let refresh: Ceremony;
  beforeAll(async () => {
    template = await newWorld(['phone', 'laptop']);
    const policy = 'thresh(2,server,phone,laptop)';
    const before = await makeKey(template, { scheme: 'schnorr-secp256k1', policy });
    const holders = ['phone', 'laptop'];
    promised = { before, old: holders, done: holders, advances: true };
    refresh = refreshOf(promised);
  });

  it.each(['phone', 'laptop', 'server'])('in which %s dies before any of its operations', async (who) => {
    const seen = await dieEverywhere(
      template,
      refresh,
      who,
      (world, at) => expectWhole(world, promised, inTurn(at)),
      beginnings,
    );
    expect(new Set(seen.map(({ found }) => found))).toEqual(new Set(['old', 'done']));
  });
});

describe('a refresh of an ECDSA key', () => {
  let template: World;
  let promised: Promised;
  beforeAll(async () => {
    template = await newWorld();
    const before = await makeKey(template, { scheme: 'ecdsa-secp256k1', policy: 'and(server,phone)' });
    promised = { before, old: ['phone'], done: ['phone'], advances: true };
  });

  it.each(['phone', 'server'])('in which %s dies before any of its operations', async (who) => {
    const seen = await dieEverywhere(
      template,
      refreshOf(promised),
      who,
      (world) => expectWhole(world, promised),
      beginnings,
    );
    expect(new Set(seen.map(({ found }) => found))).toEqual(new Set(['old', 'done']));
  });
});
