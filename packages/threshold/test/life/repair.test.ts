import { describe, expect, it } from 'vitest';
import { decodeCbor } from '@keepset/bytes';
import { evaluatePolynomial, lagrangeAt } from '../shamir.ts';
import { protocolFor, type PartyId } from '../../src/index.ts';
import {
  curveOf,
  dealKey,
  names,
  refresh,
  repair,
  repairStarts,
  resultsOf,
  runNetwork,
  schnorrSchemes,
  seededRng,
  shareOf,
  sign,
  subsets,
} from './setup.ts';

const request = { message: new Uint8Array([4, 5, 6]), digest: 'none' } as const;

describe.each(schnorrSchemes)('repair of %s', (scheme) => {
  const parties = names.slice(0, 4);
  const shares = refresh(dealKey(scheme, parties, 2, 'repair').shares, 'to epoch 1');
  const protocol = protocolFor(scheme);

  it('gives back exactly the lost share, whoever helps', () => {
    for (const target of parties)
      for (const size of [2, 3])
        for (const helpers of subsets(
          parties.filter((party) => party !== target),
          size,
        )) {
          const repaired = repair(shares, helpers, target, `${target} by ${helpers.join()}`);
          const share = shareOf(repaired, target);
          expect(share.secret.reveal()).toEqual(shareOf(shares, target).secret.reveal());
          expect(share.group).toEqual(shareOf(shares, target).group);
          expect(share.party).toBe(target);
          expect(protocol.checkShare(share)).toBe(true);
        }
  });

  it('leaves the helpers with what they had, and lets the target sign', () => {
    const repaired = repair(shares, ['server', 'ipad'], 'usb', 'helpers');
    expect(repaired.get('server')).toBe(shares.get('server'));
    expect(repaired.get('ipad')).toBe(shares.get('ipad'));
    const signature = sign(repaired, ['server', 'usb'], request, 'repaired');
    expect(protocol.verify(shareOf(shares, 'usb').group, request, signature)).toBe(true);
  });

  it('sends no share, no weighted share and nothing twice', () => {
    const curve = curveOf(scheme);
    const runs = ['a', 'b'].map((seed) => runNetwork(repairStarts(shares, ['phone', 'server'], 'usb', seed)));
    const scalarsOf = (value: unknown): Uint8Array[] => {
      if (value instanceof Uint8Array) return [value];
      return typeof value === 'object' && value !== null ? Object.values(value).flatMap(scalarsOf) : [];
    };
    const sent = runs.map(({ sent: messages }) =>
      messages.flatMap(({ round, from, to, body }) => {
        const { part, sum } = decodeCbor(body) as Record<string, Uint8Array | undefined>;
        const random = scalarsOf(decodeCbor(body)).map((bytes) => Buffer.from(bytes).toString('hex'));
        return [{ round, from, to, part, sum, random }];
      }),
    );
    const secrets = [...shares.values()].flatMap((share) => {
      const scalar = curve.decodeScalar(share.secret.reveal())!;
      const weights = subsets([1, 2, 3, 4].map(String), 2).flatMap((pair) =>
        pair.flatMap((x) => [0, 1, 2, 3, 4].map((at) => lagrangeAt(curve, pair.map(Number), Number(x), at))),
      );
      return [1n, ...weights].map((weight) =>
        Buffer.from(curve.encodeScalar(curve.reduce(scalar * weight))).toString('hex'),
      );
    });
    const values = sent.flat().flatMap(({ random }) => random);
    for (const value of values) expect(secrets).not.toContain(value);
    const [a, b] = sent.map((messages) =>
      messages.flatMap(({ part, sum }) => [part, sum].filter((bytes) => bytes !== undefined)),
    );
    expect(a!.length).toBe(4);
    for (const bytes of a!) expect(b).not.toContainEqual(bytes);
  });

  it('sends parts only between helpers and sums only to the target', () => {
    const { sent } = runNetwork(repairStarts(shares, ['phone', 'server', 'ipad'], 'usb', 'directions'));
    for (const { round, from, to, body } of sent) {
      const fields = Object.keys(decodeCbor(body) as object).sort();
      const isHelper = (party: PartyId): boolean => party !== 'usb';
      if (round === 1 && isHelper(from)) expect(fields.includes('part')).toBe(isHelper(to));
      else expect(fields).not.toContain('part');
      expect(fields.includes('sum')).toBe(round === 2 && to === 'usb');
      if (!isHelper(from)) expect(fields).toEqual([round === 1 ? 'random' : 'transcript']);
    }
  });

  it('shows the target its share as pending before the helpers have confirmed', () => {
    const starts = repairStarts(shares, ['phone', 'server'], 'usb', 'pending');
    const { outcomes } = runNetwork(starts, (message) => (message.round === 3 ? undefined : message));
    expect(outcomes.get('usb')).toMatchObject({
      status: 'waiting',
      awaiting: ['phone', 'server'],
      pending: { party: 'usb' },
    });
    for (const outcome of outcomes.values()) expect(outcome.status).toBe('waiting');
  });

  it('works with the helpers’ old and new shares only within one epoch', () => {
    const next = refresh(shares, 'to epoch 2');
    const starts = repairStarts(next, ['phone', 'server'], 'usb', 'epochs');
    starts.set('phone', repairStarts(shares, ['phone', 'server'], 'usb', 'epochs').get('phone')!);
    const { outcomes } = runNetwork(starts);
    for (const outcome of outcomes.values())
      expect(outcome).toMatchObject({ status: 'failed', error: { code: 'abort/wrong-session' } });
    expect(resultsOf(runNetwork(repairStarts(next, ['phone', 'server'], 'usb', 'same'))).size).toBe(3);
  });
});

describe('interpolation', () => {
  it('gives the polynomial’s value at any place', () => {
    const curve = curveOf('ed25519');
    const rng = seededRng('interpolation');
    const coefficients = [0, 1, 2].map(() => curve.randomScalar(rng));
    for (const at of [0, 1, 4, 7, 32]) {
      const points = [2, 3, 5];
      const sum = points.reduce(
        (total, x) => total + lagrangeAt(curve, points, x, at) * evaluatePolynomial(curve, coefficients, x),
        0n,
      );
      expect(curve.reduce(sum)).toBe(evaluatePolynomial(curve, coefficients, at));
    }
  });
});
