import { describe, expect, it } from 'vitest';
import { KeepsetError } from '@keepset/bytes';
import {
  allAnswers,
  analyse,
  isQuorum,
  presets,
  printAnswers,
  propose,
  type Proposal,
  type Setup,
} from '../src/index.ts';
import { copiesOf } from '../src/setup/setup.ts';
import { simulateWorld } from './world.ts';

/** The floors again, measured by playing every single happening through rather than by the analyser. */
const standsEachSingle = (setup: Setup, kinds: readonly string[]): readonly string[] => {
  const places = copiesOf(setup).map(({ copy }) => copy.id);
  const happenings = [
    ...places.flatMap((id) => [`loss/${id}`, `theft/${id}`]),
    ...setup.events.flatMap(({ id, each }) => (each === true ? places.map((copy) => `${id}/${copy}`) : [id])),
  ].filter((id) =>
    kinds.some((kind) => (kind === 'event' ? !/^(loss|theft)\//.test(id) : id.startsWith(kind))),
  );
  return happenings.filter((id) => {
    const { lockedOut, stolen } = simulateWorld(setup, new Set([id]));
    return lockedOut || stolen;
  });
};

const proposals = new Map(
  allAnswers.map((answers) => [printAnswers(answers), propose(printAnswers(answers))]),
);
const proposalFor = (text: string): Proposal => proposals.get(text)!;

const sticksIn = (setup: Setup): number => copiesOf(setup).filter(({ copy }) => copy.kind === 'usb').length;

describe('the wizard', () => {
  it.each(allAnswers.map(printAnswers))('%s truly meets its floor', (text) => {
    const { setup, reached, missing, analysis, floor } = proposalFor(text);
    expect(reached).toBe(true);
    expect(missing).toEqual([]);
    const names = analysis.parties;
    // Any one party lost leaves a quorum.
    for (const lost of names)
      expect(
        isQuorum(
          setup.policy,
          names.filter((name) => name !== lost),
        ),
      ).toBe(true);
    expect(standsEachSingle(setup, ['loss/'])).toEqual([]);
    if (text[0] !== 'A') {
      for (const name of names) expect(isQuorum(setup.policy, [name])).toBe(false);
      expect(standsEachSingle(setup, ['theft/'])).toEqual([]);
    }
    if (text[0] !== 'A') expect(analysis.credibleMinimum).toEqual({ met: true, shortfalls: [] });
    if (text[0] === 'C') expect(standsEachSingle(setup, ['event'])).toEqual([]);
    if (floor.everyday) {
      const atHand = names.filter((name) => ['phone', 'ipad', 'server'].includes(name));
      expect(isQuorum(setup.policy, atHand)).toBe(true);
    }
  });

  it.each(allAnswers.map(printAnswers))('%s uses what its answers list, and nothing they do not', (text) => {
    const { setup } = proposalFor(text);
    const devices = new Set(copiesOf(setup).map(({ copy }) => copy.device));
    expect(devices.has('phone')).toBe(true);
    expect(devices.has('ipad')).toBe(text[2] === 'B');
    expect(setup.shares.has('server')).toBe(text[2] === 'C');
    expect(sticksIn(setup)).toBe({ A: 0, B: 1, C: 2 }[text[1] ?? 'A']);
  });

  it('leans on no rule that the server does not have', () => {
    for (const answers of allAnswers) {
      const { setup, needs } = proposalFor(printAnswers(answers));
      expect(needs.join(' ')).not.toContain('no such rule');
      // It signs for whoever holds the unlocked phone.
      for (const copy of setup.shares.get('server') ?? [])
        expect(copy.usableFrom?.map(({ from, unlock }) => [from, unlock])).toEqual([
          ['device:phone', { kind: 'party', name: 'passcode' }],
        ]);
    }
  });

  it('says so where only a server with such a rule would do', () => {
    // Two things that fail together leave the phone and a server that must not sign for its thief.
    const burnt = { id: 'burnt', title: 'paper, sticks and account fail', exposes: [] };
    const { reached, needs, setup } = propose('CAC', {
      events: [{ ...burnt, loses: ['share:paper', 'share:paper-2', 'account:apple'] }],
    });
    expect(reached).toBe(true);
    expect(setup.shares.get('server')?.[0]?.usableFrom?.[0]?.unlock).not.toEqual({
      kind: 'party',
      name: 'passcode',
    });
    expect(needs.join(' ')).toContain('no such rule');
  });

  it('takes an event of one’s own in place of the library’s of that id', () => {
    const fire = { id: 'house-fire', title: 'the garage burns', loses: ['location:garage'], exposes: [] };
    const { setup } = propose('CBA', { events: [fire] });
    expect(setup.events.filter(({ id }) => id === 'house-fire')).toEqual([fire]);
  });

  it('never lets the server sign alone', () => {
    for (const answers of allAnswers) {
      const { setup } = proposalFor(printAnswers(answers));
      expect(isQuorum(setup.policy, ['server'])).toBe(false);
    }
  });

  it('never keeps the kit beside a stick that it opens', () => {
    for (const answers of allAnswers) {
      const { setup } = proposalFor(printAnswers(answers));
      const kits = (setup.secrets.get('kit') ?? []).map(({ location }) => location);
      for (const { copy } of copiesOf(setup))
        if (copy.kind === 'usb') expect(kits).not.toContain(copy.location);
    }
  });

  it('says of a proposal below the credible minimum that it is', () => {
    const { analysis, reached } = proposalFor('AAA');
    expect(reached).toBe(true);
    expect(analysis.credibleMinimum.met).toBe(false);
    expect(analysis.credibleMinimum.shortfalls).toContain('phone alone can sign.');
  });

  it('says what is missing, and gives the best there is, where a floor is out of reach', () => {
    const flood = {
      id: 'flood',
      title: 'the town is flooded',
      loses: ['location:pocket', 'kind:printed', 'kind:usb'],
      exposes: [],
    };
    const { reached, missing, analysis } = propose('CAA', { events: [flood] });
    expect(reached).toBe(false);
    expect(missing).toEqual(['If the town is flooded, nobody can sign.']);
    expect(analysis.events.find(({ id }) => id === 'flood')?.key.outcome).toBe('locked out');
    expect([analysis.lossTolerance, analysis.theftTolerance]).toEqual([1, 1]);
    // One that spares the paper elsewhere is withstood.
    const spares = { ...flood, loses: ['location:pocket', 'location:home'] };
    expect(propose('CAA', { events: [spares] })).toMatchObject({ reached: true, missing: [] });
  });

  it('says what would reach a floor that the answers do not', () => {
    // Paper is no good and the Apple account is gone: it takes sticks, or a stick and a server.
    const loses = ['kind:printed', 'account:apple', 'kind:memory'];
    const { reached, wouldReach } = propose('CAA', {
      events: [{ id: 'x', title: 'memory and paper fail', loses: [...loses, 'device:phone'], exposes: [] }],
    });
    expect(reached).toBe(false);
    expect(wouldReach).toEqual([]);
    const two = propose('CAA', {
      events: [
        { id: 'y', title: 'what is printed burns', loses: ['kind:printed', 'account:apple'], exposes: [] },
      ],
    });
    expect(two.reached).toBe(false);
    expect(two.wouldReach).toContain('CCA');
    for (const answers of two.wouldReach) expect(answers).not.toMatch(/^CA[AB]/);
  });

  it.each(['', 'AB', 'ABCD', 'ABD', '123', 'a b c', 'AÄB'])('refuses %j', (text) => {
    expect(() => propose(text)).toThrow(KeepsetError);
  });

  it('takes small letters', () => {
    expect(propose('cba').answers).toBe('CBA');
  });
});

describe('presets', () => {
  it.each(presets.map(({ id }) => id))('%s: the original falls short, the corrected form holds', (id) => {
    const { original, corrected, changes } = presets.find((preset) => preset.id === id)!;
    expect(analyse(original).credibleMinimum.met).toBe(false);
    const analysis = analyse(corrected);
    expect(analysis.credibleMinimum).toEqual({ met: true, shortfalls: [] });
    expect(analysis.events.filter(({ key }) => key.lost || key.leaked)).toEqual([]);
    expect(analysis.domains).toEqual([]);
    expect(standsEachSingle(corrected, ['loss/', 'theft/', 'event'])).toEqual([]);
    expect(changes.length).toBeGreaterThan(0);
  });

  it('lean, corrected, on no rule that the server does not have, and keep no kit beside a stick it opens', () => {
    for (const { corrected } of presets) {
      for (const copy of corrected.shares.get('server') ?? [])
        expect(copy.usableFrom?.map(({ unlock }) => unlock)).toEqual([{ kind: 'party', name: 'passcode' }]);
      const kits = (corrected.secrets.get('kit') ?? []).map(({ location }) => location);
      for (const { copy } of copiesOf(corrected))
        if (copy.kind === 'usb') expect(kits).not.toContain(copy.location);
    }
  });

  it('are less likely to be lost and to be stolen in their corrected form', () => {
    for (const { original, corrected } of presets) {
      const [before, after] = [analyse(original), analyse(corrected)];
      expect(after.loss.probability!.likely).toBeLessThan(before.loss.probability!.likely);
      expect(after.theft.probability!.likely).toBeLessThan(before.theft.probability!.likely);
    }
  });

  it('copies of one share do not make parties: Option A, B and Combined stand no loss of a party', () => {
    for (const id of ['option-a', 'option-b', 'combined']) {
      const { original } = presets.find((preset) => preset.id === id)!;
      const { lossTolerance, theftTolerance, singlePointsOfFailure } = analyse(original);
      expect([lossTolerance, theftTolerance, singlePointsOfFailure]).toEqual([0, 1, ['server', 'phone']]);
    }
  });
});
