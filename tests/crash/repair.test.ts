/**
 * Any of three sides dies at every operation of a repair: afterwards the device that lost its share has it again, or
 * has none, and whoever holds one signs. For ECDSA the helpers' set-ups with it are as new as its own, or all are old.
 */
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { joinLife, runRepair, type Scheme } from '@keepset/ceremony';
import {
  approve,
  beginnings,
  dieEverywhere,
  dieWhileSettling,
  expectWhole,
  inTurn,
  makeKey,
  spreadDeaths,
  withDevices,
  type Ceremony,
  type Choice,
  type Promised,
} from '../support/ceremonies.ts';
import { newWorld, type World } from '../support/crash.ts';

// Many runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const sides = ['phone', 'laptop', 'server'];

/** A run of ECDSA costs a second: one in nine of the moments of each side, spread evenly. */
const oneInNine: Choice = (_, at) => at % 9 === 4;

interface Repair {
  readonly template: World;
  readonly promised: Promised;
  readonly repair: Ceremony;
}

/** A key of which the laptop has lost its share. */
const prepare = async (scheme: Scheme): Promise<Repair> => {
  const template = await newWorld(['phone', 'laptop']);
  const before = await makeKey(template, { scheme, policy: 'thresh(2,server,phone,laptop)' });
  const { keyId, epoch } = before.group;
  await withDevices(template, async (devices) => devices.get('laptop')!.vault.retire(keyId, epoch + 1));
  const approval = await approve(template, keyId);
  const together = scheme.startsWith('ecdsa');
  return {
    template,
    promised: { before, old: ['phone'], done: ['phone', 'laptop'], advances: false, together },
    repair: {
      starts: 'phone',
      start: (device, prompts) => runRepair(device, keyId, 'laptop', prompts, { approval }),
      join: joinLife,
    },
  };
};

const dieAndCheck = async ({ template, promised, repair }: Repair, who: string, choose: Choice) => {
  const seen = await dieEverywhere(
    template,
    repair,
    who,
    (world, at) => expectWhole(world, promised, inTurn(at)),
    choose,
  );
  return new Set(seen.map(({ found }) => found));
};

describe('a repair of a Schnorr key', () => {
  let prepared: Repair;
  beforeAll(async () => {
    prepared = await prepare('schnorr-secp256k1');
  });

  it.each(sides)('in which %s dies before any of its operations', async (who) => {
    expect(await dieAndCheck(prepared, who, beginnings)).toEqual(new Set(['old', 'done']));
  });

  it('cut off, and then cut off while it is settled; a sample', async () => {
    const { template, promised, repair } = prepared;
    const deaths = await Promise.all(sides.map((who) => spreadDeaths(template, repair, who, 8)));
    const late = deaths.flatMap((each) => each.slice(4));
    const { states, cutOff } = await dieWhileSettling(template, repair, late, promised);
    expect(states).toBeGreaterThan(2);
    expect(cutOff).toBeGreaterThan(20);
  });
});

describe('a repair of an ECDSA key', () => {
  let prepared: Repair;
  beforeAll(async () => {
    prepared = await prepare('ecdsa-secp256k1');
  });

  it.each(sides)('in which %s dies at some of its operations: every pair’s set-up fits', async (who) => {
    expect(await dieAndCheck(prepared, who, oneInNine)).toContain('old');
  });
});
