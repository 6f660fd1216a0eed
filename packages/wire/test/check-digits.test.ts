import { scryptSync } from 'node:crypto';
import { expect, it } from 'vitest';
import { checkDigits, scryptInline, type Roster, type ScryptWork } from '../src/index.ts';

const session = new Uint8Array(32).fill(1);
const roster: Roster = {
  start: { kind: 'refresh', keyId: 'a'.repeat(26), epoch: 3 },
  initiator: 'phone',
  members: [
    { party: 'phone', key: new Uint8Array(32).fill(2) },
    { party: 'laptop', key: new Uint8Array(32).fill(3) },
  ],
};

/** OpenSSL’s scrypt of what the digits are computed from, with the cost that a liar pays for each try. */
const openssl: ScryptWork = (secret, salt, workFactor) => {
  expect(workFactor).toBe(14);
  return Promise.resolve(new Uint8Array(scryptSync(secret, salt, 32, { N: 2 ** 14, r: 8, p: 1 })));
};

it('are the same wherever scrypt runs, and do not change with the years', async () => {
  const digits = await checkDigits(session, roster, scryptInline);
  expect(digits).toBe(await checkDigits(session, roster, openssl));
  expect(digits).toBe('50211 39451 84511 15036');
});

it('differ with the session and with anything in the roster', async () => {
  const [phone, laptop] = roster.members;
  const others: readonly (readonly [Uint8Array, Roster])[] = [
    [new Uint8Array(32).fill(4), roster],
    [session, { ...roster, initiator: 'laptop' }],
    [session, { ...roster, start: { kind: 'refresh', keyId: 'a'.repeat(26), epoch: 4 } }],
    [session, { ...roster, members: [laptop!, phone!] }],
    [session, { ...roster, members: [phone!, { ...laptop!, key: new Uint8Array(32).fill(5) }] }],
  ];
  const all = [await checkDigits(session, roster, openssl)];
  for (const [its, other] of others) all.push(await checkDigits(its, other, openssl));
  expect(new Set(all).size).toBe(others.length + 1);
});
