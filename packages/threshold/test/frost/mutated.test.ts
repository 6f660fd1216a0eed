/** Each field of each message, wrong in every way: what happens to the party that receives it. */
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { KeepsetError } from '@keepset/bytes';
import type { PartyId } from '../../src/index.ts';
import { fieldsOf, scalarOf, wrongField, wrongForms, type Wrong } from './mutations.ts';
import {
  endOf,
  frostSchemes,
  hex,
  keyOf,
  keyUnder,
  keygenStarts,
  keygenUnder,
  plain,
  rehearse,
  sha256,
  signStarts,
  theOne,
  type FrostScheme,
  type Rehearsal,
} from './network.ts';

const parties = ['phone', 'server', 'usb'];
const nested = 'and(phone,or(server,usb))';
const [victim, liar, other] = ['phone', 'server', 'usb'] as const;

/** The end a wrong value leads to. */
interface Verdict {
  readonly code: RegExp;
  readonly culprits: readonly PartyId[];
}
const blamed = (code: RegExp): Verdict => ({ code, culprits: [liar] });
const malformed = blamed(/^abort\/malformed-message$/);
/** Everyone is told that views differ, and no one can tell who lied. */
const mismatch: Verdict = { code: /^abort\/transcript-mismatch$/, culprits: [] };
const badCommitment = blamed(/^abort\/bad-commitment$/);
const badShare = blamed(/^abort\/bad-share$/);

/** By round and field: the verdict on a value that is no point or scalar, and on a valid one that is not the right one. */
type Table = readonly (readonly [round: number, field: string, value: Verdict, content: Verdict])[];

const keygenTable: Table = [
  [1, 'random', mismatch, mismatch],
  // Only the constant is proven to be known; the others show when the share does not fit.
  [1, 'commitments', blamed(/^abort\/bad-proof$/), blamed(/^abort\/bad-(proof|share)$/)],
  [1, 'proof', blamed(/^abort\/bad-proof$/), blamed(/^abort\/bad-proof$/)],
  [1, 'chainCommitment', badCommitment, badCommitment],
  [2, 'share', badShare, badShare],
  [2, 'chainPart', badCommitment, badCommitment],
  [3, 'transcript', mismatch, mismatch],
];
const signTable: Table = [
  [1, 'random', mismatch, mismatch],
  [1, 'hiding', badCommitment, mismatch],
  [1, 'binding', badCommitment, mismatch],
  [2, 'transcript', mismatch, mismatch],
  [2, 'share', badShare, badShare],
];

const protocols = (scheme: FrostScheme): readonly (readonly [string, Table, () => Rehearsal<unknown>])[] => [
  ['keygen', keygenTable, () => rehearse(keygenStarts(scheme, 2, parties, 'mutated'))],
  [
    'sign',
    signTable,
    () => rehearse(signStarts(keyOf(scheme, 2, 3), parties, plain(sha256('m')), 'mutated')),
  ],
  ['keygen under a nested policy', keygenTable, () => rehearse(keygenUnder(scheme, nested, 'mutated'))],
  [
    'sign under a nested policy',
    signTable,
    () => rehearse(signStarts(keyUnder(scheme, nested), parties, plain(sha256('m')), 'mutated')),
  ],
];

/** Whether a printed error holds the secret, in any of the forms in which code handles it. */
const leaks = (error: KeepsetError, scheme: FrostScheme, secret: Uint8Array): boolean => {
  const printed = inspect(error, { depth: Infinity, showHidden: true, maxArrayLength: null });
  const forms = [hex(secret), String(scalarOf(scheme, secret)), secret.join(', '), secret.join(',')];
  return forms.some((form) => printed.includes(form));
};

describe.each(frostSchemes)('%s', (scheme) => {
  describe.each(protocols(scheme))('%s', (_name, table, prepare) => {
    const rehearsal = prepare();
    const secret = theOne(keyOf(scheme, 2, 3).get(victim)).secret.reveal();

    const expectVerdicts = (
      round: number,
      wrongs: readonly Wrong<Uint8Array>[],
      verdictOn: (flaw: Wrong<unknown>['flaw']) => Verdict,
    ): void => {
      expect(wrongs.length).toBeGreaterThan(10);
      const honest = rehearsal.inbox(victim, round);
      for (const { name, value, flaw } of wrongs) {
        const messages = honest.map((message) =>
          message.from === liar ? { ...message, body: value } : message,
        );
        expect(messages).not.toEqual(honest);
        const error = theOne(endOf(rehearsal, victim, round, messages));
        const { code, culprits } = verdictOn(flaw);
        expect(error.code, name).toMatch(code);
        expect(error.culprits, name).toEqual(culprits);
        expect(error.session, name).toBe(hex(theOne(honest[0]).context));
        expect(leaks(error, scheme, secret), name).toBe(false);
      }
    };

    it.each(table)('round %i: wrong %s', (round, field, onValue, onContent) => {
      const bodyOf = (from: PartyId): Uint8Array =>
        theOne(rehearsal.inbox(victim, round).find((message) => message.from === from)).body;
      const wrongs = wrongField(scheme, field, bodyOf(liar), bodyOf(other)).filter(
        // Honest parties have the same transcript.
        ({ name }) => field !== 'transcript' || name !== 'another party’s',
      );
      expectVerdicts(
        round,
        wrongs,
        (flaw) => ({ form: malformed, value: onValue, content: onContent })[flaw],
      );
    });

    it.each([...new Set(table.map(([round]) => round))])(
      'round %i: no message at all, or not in its one form',
      (round) => {
        const { body } = theOne(rehearsal.inbox(victim, round).find((message) => message.from === liar));
        expectVerdicts(round, wrongForms(body), () => malformed);
      },
    );

    it('covers every field there is', () => {
      for (const round of new Set(table.map(([round]) => round))) {
        const { body } = theOne(rehearsal.inbox(victim, round)[0]);
        expect(Object.keys(fieldsOf(body)).toSorted()).toEqual(
          table
            .filter((row) => row[0] === round)
            .map((row) => row[1])
            .toSorted(),
        );
      }
    });

    it('ends well when nothing is wrong', () => {
      expect(endOf(rehearsal, victim, 1, rehearsal.inbox(victim, 1))).toBeUndefined();
    });
  });
});
