/** Parties that keep to the form of the protocol and lie in its substance. */
import { describe, expect, it } from 'vitest';
import { decodeCbor, encodeCbor, type CborValue } from '@keepset/bytes';
import type { CurvePort } from '../../src/curve/port.ts';
import type { PartyId, ProtocolMessage } from '../../src/index.ts';
import {
  curveOf,
  dealKey,
  refreshStarts,
  repairStarts,
  reshareStarts,
  runNetwork,
  schnorrSchemes,
  type Run,
  type Starts,
  type Wire,
} from './setup.ts';

type Fields = Record<string, CborValue>;

/** Lets `liar` change what it says in a round. */
const lie =
  (liar: PartyId, round: number, change: (fields: Fields, to: PartyId) => Fields): Wire =>
  (message: ProtocolMessage) =>
    message.from === liar && message.round === round
      ? { ...message, body: encodeCbor(change(decodeCbor(message.body) as Fields, message.to)) }
      : message;

const plus = (curve: CurvePort, scalar: CborValue, summand: bigint): Uint8Array =>
  curve.encodeScalar(curve.reduce(curve.decodeScalar(scalar as Uint8Array)! + summand));

const moved = (curve: CurvePort, point: CborValue, by: bigint): Uint8Array =>
  curve.encodePoint(
    curve.add(curve.decodePoint(point as Uint8Array)!, curve.multiplyGenerator(curve.reduce(by))),
  );

const expectBlame = (run: Run<unknown>, liar: PartyId, code: string, by: readonly PartyId[]): void => {
  for (const [party, outcome] of run.outcomes) {
    expect(outcome.status, party).not.toBe('done');
    if (by.includes(party)) expect(outcome).toMatchObject({ error: { code, culprits: [liar] } });
    else expect(outcome.status, party).toBe('waiting');
  }
};

describe.each(schnorrSchemes)('%s', (scheme) => {
  const curve = curveOf(scheme);
  const { shares } = dealKey(scheme, ['phone', 'server', 'usb'], 2, 'misdeeds');
  const refresh = (): Starts<unknown> => refreshStarts(shares, 'misdeeds');
  const reshare = (): Starts<unknown> =>
    reshareStarts(shares, ['phone', 'server'], ['server', 'ipad', 'cloud'], 2, 'misdeeds');
  const repair = (): Starts<unknown> => repairStarts(shares, ['phone', 'server'], 'usb', 'misdeeds');

  it('a dealer that would move the key in a refresh is named by everyone', () => {
    const wire = lie('phone', 2, (fields) => ({ ...fields, share: plus(curve, fields.share!, 1n) }));
    expectBlame(runNetwork(refresh(), wire), 'phone', 'abort/bad-share', ['server', 'usb']);
  });

  it('a dealer that would deal another secret in a reshare is named by every holder', () => {
    const wire = lie('phone', 2, (fields) => ({ ...fields, share: plus(curve, fields.share!, 1n) }));
    expectBlame(runNetwork(reshare(), wire), 'phone', 'abort/bad-share', ['server', 'ipad', 'cloud']);
  });

  it('a dealer that waits for the others’ polynomials before it chooses its own is named', () => {
    // It opens the negative of the other's polynomial, which would undo the refresh.
    const others = runNetwork(refresh()).sent.find(({ from, round }) => from === 'server' && round === 2)!;
    const { points } = decodeCbor(others.body) as { points: Uint8Array[] };
    const negated = points.map((point) =>
      curve.encodePoint(curve.subtract(curve.identity, curve.decodePoint(point)!)),
    );
    const wire = lie('phone', 2, (fields) => ({ ...fields, points: negated }));
    expectBlame(runNetwork(refresh(), wire), 'phone', 'abort/bad-commitment', ['server', 'usb']);
  });

  it('a dealer that would raise the threshold is named', () => {
    const wire = lie('phone', 2, (fields) => {
      const points = fields.points as Uint8Array[];
      return { ...fields, points: [...points, points[0]!] };
    });
    expectBlame(runNetwork(refresh(), wire), 'phone', 'abort/malformed-message', ['server', 'usb']);
    expectBlame(runNetwork(reshare(), wire), 'phone', 'abort/malformed-message', ['server', 'ipad', 'cloud']);
  });

  it('a holder that pretends to deal is named', () => {
    const wire = lie('cloud', 1, (fields) => ({ ...fields, commitment: new Uint8Array(32) }));
    const everyone = ['phone', 'server', 'ipad'];
    expectBlame(runNetwork(reshare(), wire), 'cloud', 'abort/malformed-message', everyone);
  });

  it('a helper that cuts another share than its own is named by everyone', () => {
    const wire = lie('phone', 1, (fields) => {
      const [own, other] = fields.images as [Uint8Array, Uint8Array];
      return { ...fields, images: [moved(curve, own, 1n), other] };
    });
    expectBlame(runNetwork(repair(), wire), 'phone', 'abort/bad-commitment', ['server', 'usb']);
  });

  it('a helper whose parts do not fit their images is named by the helper that got the part', () => {
    const wire = lie('phone', 1, (fields) => {
      const [own, other] = fields.images as [Uint8Array, Uint8Array];
      return { ...fields, images: [moved(curve, own, -1n), moved(curve, other, 1n)] };
    });
    expectBlame(runNetwork(repair(), wire), 'phone', 'abort/bad-share', ['server']);
  });

  it('a helper that adds up wrongly is named by the target', () => {
    const wire = lie('server', 2, (fields, to) =>
      to === 'usb' ? { ...fields, sum: plus(curve, fields.sum!, 1n) } : fields,
    );
    expectBlame(runNetwork(repair(), wire), 'server', 'abort/bad-share', ['usb']);
  });
});
