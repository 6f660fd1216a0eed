/**
 * Property: any policy, any quorum, any few messages lost, doubled, spoiled or exchanged on the way, whoever sent them.
 * What comes out is right, or nothing comes out and the failure is typed and blames no party whose messages arrived.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8ToBytes } from '@keepset/bytes';
import type { KeyShare, PartyId, ProtocolMessage, SignRequest, Step } from '../../src/index.ts';
import type { Presignature } from '../../src/ecdsa/presign.ts';
import { verifyEcdsa } from '../../src/ecdsa/signature.ts';
import { mutationsOf } from './mutations.ts';
import {
  isSlot,
  keygenStarts,
  makeKey,
  partyNames,
  presignStarts,
  runNetwork,
  signStarts,
} from './network.ts';
import { transparentSuite as suite } from './transparent.ts';

const request: SignRequest = { message: utf8ToBytes('pay 1 to Bob'), digest: 'sha256d' };

interface Fault {
  readonly kind: 'drop' | 'double' | 'spoil' | 'exchange';
  /** Picks the message. */
  readonly which: number;
  /** Picks the change, or the message whose body it gets. */
  readonly how: number;
}

const fault: fc.Arbitrary<Fault> = fc.record({
  kind: fc.constantFrom<Fault['kind'][]>('drop', 'double', 'spoil', 'spoil', 'exchange'),
  which: fc.nat(),
  how: fc.nat(),
});

const shape = fc
  .integer({ min: 2, max: 4 })
  .chain((n) => fc.tuple(fc.constant(n), fc.integer({ min: 2, max: n })))
  .chain(([n, threshold]) =>
    fc.record({
      parties: fc.constant(partyNames.slice(0, n)),
      threshold: fc.constant(threshold),
      quorum: fc.subarray(partyNames.slice(0, n), { minLength: threshold }),
      seed: fc.nat().map(String),
      faults: fc.array(fault, { minLength: 1, maxLength: 3 }),
    }),
  );
type Shape = typeof shape extends fc.Arbitrary<infer T> ? T : never;

const at = <T>(list: readonly T[], index: number): T => list[index % list.length]!;

/** What becomes of a message under one fault. */
const applied = (
  message: ProtocolMessage,
  { kind, how }: Fault,
  sent: readonly ProtocolMessage[],
): readonly ProtocolMessage[] => {
  if (kind === 'drop') return [];
  if (kind === 'double') return [message, message];
  if (kind === 'spoil') return [at(mutationsOf(message.body), how).apply(message)];
  return [{ ...message, body: at(sent, how).body }];
};

interface Protocol<R> {
  readonly name: string;
  readonly start: (shape: Shape) => Map<PartyId, () => Step<R>>;
  readonly check: (results: readonly R[], shape: Shape) => void;
}

const keyOf = ({ parties, threshold, seed }: Shape): Map<PartyId, KeyShare> =>
  makeKey(suite, threshold, parties, seed);

const protocols: readonly Protocol<unknown>[] = [
  {
    name: 'keygen',
    start: ({ parties, threshold, seed }) => keygenStarts(suite, threshold, parties, seed),
    check: (results) => {
      const shares = results as readonly KeyShare[];
      for (const { group } of shares) expect(group).toEqual(shares[0]!.group);
    },
  },
  {
    name: 'signing',
    start: (run) => signStarts(suite, keyOf(run), run.quorum, request, run.seed),
    check: (results, run) => {
      const { publicKey } = keyOf(run).get('party1')!.group;
      for (const signature of results as readonly Uint8Array[])
        expect(verifyEcdsa(suite, publicKey, request, signature)).toBe(true);
    },
  },
  {
    name: 'presigning',
    start: (run) => presignStarts(suite, keyOf(run), run.quorum, run.seed),
    check: (results) => {
      const made = results as readonly Presignature[];
      for (const { id, nonce } of made)
        expect({ id, nonce }).toEqual({ id: made[0]!.id, nonce: made[0]!.nonce });
    },
  },
];

describe.each(protocols)('$name through random failures', ({ start, check }) => {
  it('gives what is right or a typed abort, and blames nobody whose messages arrived', () => {
    fc.assert(
      fc.property(shape, (run) => {
        const { sent } = runNetwork(start(run));
        const struck = run.faults.map((each) => ({ ...each, slot: at(sent, each.which) }));
        const { outcomes } = runNetwork(start(run), (message) => {
          const found = struck.find(({ slot }) => isSlot(slot, message));
          return found === undefined ? message : applied(message, found, sent);
        });
        const suspects = struck.map(({ slot }) => slot.from);
        const results: unknown[] = [];
        for (const [party, outcome] of outcomes) {
          if (outcome.status === 'done') results.push(outcome.result);
          if (outcome.status !== 'failed') continue;
          expect(outcome.error.family).toBe('abort');
          // Who says different things to different peers may well blame those who took it at its word.
          if (suspects.includes(party)) continue;
          expect(suspects).toEqual(expect.arrayContaining([...outcome.error.culprits]));
        }
        check(results, run);
      }),
      { numRuns: 12 },
    );
  });
});
