/**
 * Any of three sides dies at every operation of a reshare, one that takes a device in and one that lets the device that
 * started it go: afterwards the key stands under the old policy or the new one, and exactly the devices of that policy
 * hold shares that sign.
 */
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { joinLife, runReshare } from '@keepset/ceremony';
import {
  approve,
  beginnings,
  dieEverywhere,
  dieWhileSettling,
  expectWhole,
  inTurn,
  makeKey,
  spreadDeaths,
  type Ceremony,
  type Promised,
} from '../support/ceremonies.ts';
import { newWorld, type World } from '../support/crash.ts';

// Many runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const sides = ['phone', 'laptop', 'server'];
const both = ['phone', 'laptop'];
const wide = 'thresh(2,server,phone,laptop)';

describe.each([
  {
    what: 'takes the laptop in',
    from: 'and(server,phone)',
    to: wide,
    old: ['phone'],
    done: both,
  },
  {
    what: 'lets the phone go',
    from: wide,
    to: 'and(server,laptop)',
    old: both,
    done: ['laptop'],
  },
])('a reshare that $what', ({ from, to, old, done }) => {
  let template: World;
  let promised: Promised;
  let reshare: Ceremony;
  beforeAll(async () => {
    template = await newWorld(both);
    const before = await makeKey(template, { scheme: 'schnorr-secp256k1', policy: from });
    const { keyId } = before.group;
    const approval = await approve(template, keyId);
    promised = { before, old, done, advances: true };
    reshare = {
      starts: 'phone',
      start: (device, prompts) => runReshare(device, keyId, to, prompts, { approval }),
      join: joinLife,
    };
  });

  it.each(sides)('in which %s dies before any of its operations', async (who) => {
    const seen = await dieEverywhere(
      template,
      reshare,
      who,
      (world, at) => expectWhole(world, promised, inTurn(at)),
      beginnings,
    );
    expect(new Set(seen.map(({ found }) => found))).toEqual(new Set(['old', 'done']));
  });

  it('cut off, and then cut off while it is settled; a sample', async () => {
    const deaths = await Promise.all(sides.map((who) => spreadDeaths(template, reshare, who, 8)));
    const late = deaths.flatMap((each) => each.slice(4));
    const { states, cutOff } = await dieWhileSettling(template, reshare, late, promised);
    expect(states).toBeGreaterThan(2);
    expect(cutOff).toBeGreaterThan(20);
  });
});
