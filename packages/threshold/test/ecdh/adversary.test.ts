/** What a network and a dishonest party can do to an opening. */
import { describe, expect, it } from 'vitest';
import { KeepsetError, decodeCbor, encodeCbor, type CborValue } from '@keepset/bytes';
import { p256 } from '@noble/curves/nist.js';
import type { ProtocolMessage } from '../../src/index.ts';
import { endOf, hex, rehearse, run, sha256, theOne } from '../frost/network.ts';
import { codeOf } from '../machine/support.ts';
import { ephemeralOf, keyOf, learned, openStarts } from './setup.ts';

const quorum = ['phone', 'server', 'usb'];
const [opener, peer, other] = ['phone', 'server', 'usb'] as const;
const shares = keyOf(2, 3);
const file = ephemeralOf('a file');
const starts = (session = 'one', point = file.point) => openStarts(shares, quorum, point, { seed: session });
const rehearsal = rehearse(starts());
const honest = theOne(learned(rehearsal.results)[opener]);
const inbox = rehearsal.inbox(opener, 1);
const from = (party: string, messages = inbox): ProtocolMessage =>
  theOne(messages.find((message) => message.from === party));

/** What becomes of the opener when the peer's body is another. */
const fate = (body: Uint8Array): string => {
  const messages = inbox.map((message) => (message.from === peer ? { ...message, body } : message));
  const error = endOf(rehearsal, opener, 1, messages);
  if (error === undefined) return 'accepted';
  expect(error.message).not.toContain(honest);
  return `${error.code} ${error.culprits.join('+')}`;
};
const fields = (message = from(peer)): Record<string, Uint8Array> =>
  decodeCbor(message.body) as unknown as Record<string, Uint8Array>;
const withField = (name: string, value: CborValue): Uint8Array => encodeCbor({ ...fields(), [name]: value });

describe('the network', () => {
  it('loses a message: the opener goes on waiting, and learns nothing', () => {
    for (const lost of inbox) {
      const step = rehearsal.at(opener, 1).advance(inbox.filter((message) => message !== lost));
      expect(step).toMatchObject({ status: 'running', awaiting: [lost.from], outgoing: [] });
      expect(step).not.toHaveProperty('result');
    }
  });

  it('repeats and reorders them: refused, and it still opens', () => {
    const ended = run(starts(), { wire: (message) => [message, { ...message }] });
    expect(learned(ended.results)[opener]).toBe(honest);
    expect(ended.refusals.map(([, { code }]) => code)).toContain('abort/duplicate-message');
    const step = rehearsal.at(opener, 1).advance(inbox.toReversed());
    expect(step.status).toBe('done');
  });

  it('brings those of other sessions, files and strangers: refused, and it still opens', () => {
    const foreign = [
      starts('two'),
      starts('one', ephemeralOf('another').point),
      openStarts(shares, ['phone', 'server'], file.point, { seed: 'one' }),
    ].map((run) => from(peer, rehearse(run).inbox(opener, 1)));
    const ended = run(starts(), {
      wire: (message) => [
        ...foreign,
        { ...message, from: 'mallory' },
        { ...message, from: opener },
        { ...message, to: other },
        { ...message, round: 2 },
        { ...message, round: 0 },
        message,
      ],
    });
    expect(learned(ended.results)[opener]).toBe(honest);
    expect(ended.failures.size).toBe(0);
    expect([...new Set(ended.refusals.map(([, { code }]) => code))].toSorted()).toEqual([
      'abort/unknown-party',
      'abort/wrong-round',
      'abort/wrong-session',
    ]);
  });

  it('cannot use a state twice', () => {
    const state = rehearsal.at(opener, 1);
    expect(codeOf(() => state.advance([{ ...from(peer), context: sha256('x') }]))).toBe(
      'abort/wrong-session',
    );
    expect(codeOf(() => state.advance(inbox))).toBe('ok');
    expect(codeOf(() => state.advance(inbox))).toBe('abort/state-consumed');
    const spoilt = rehearsal.at(opener, 1);
    expect(codeOf(() => spoilt.advance([{ ...from(peer), body: Uint8Array.of(0xff) }, from(other)]))).toBe(
      'abort/malformed-message',
    );
    expect(codeOf(() => spoilt.advance(inbox))).toBe('abort/state-consumed');
  });
});

describe('a dishonest party is named', () => {
  it('for a body of another session, file, quorum, party or epoch', () => {
    const bodies = [
      from(peer, rehearse(starts('two')).inbox(opener, 1)).body,
      from(peer, rehearse(starts('one', ephemeralOf('another').point)).inbox(opener, 1)).body,
      from(peer, rehearse(openStarts(shares, ['phone', 'server'], file.point)).inbox(opener, 1)).body,
      from(other).body,
      from(peer, rehearse(openStarts(keyOf(3, 5), quorum, file.point)).inbox(opener, 1)).body,
    ];
    for (const body of bodies) expect(fate(body)).toBe('abort/bad-proof server');
  });

  it('for any bit of any field', () => {
    for (const [name, bytes] of Object.entries(fields()))
      for (const at of [0, 1, 8, 16, bytes.length - 1])
        for (const bit of [1, 2, 128]) {
          const value = bytes.with(at, theOne(bytes[at]) ^ bit);
          expect(fate(withField(name, value)), `${name} ${at} ${bit}`).toMatch(
            /^abort\/(bad-proof|malformed-message) server$/,
          );
        }
  });

  it('for fields of the wrong form', () => {
    for (const [name, bytes] of Object.entries(fields()))
      for (const value of [
        new Uint8Array(0),
        bytes.slice(1),
        Uint8Array.from([...bytes, 0]),
        Uint8Array.from([...bytes, ...bytes]),
        hex(bytes),
        null,
        7,
        [bytes],
        { bytes },
      ])
        expect(fate(withField(name, value)), name).toBe('abort/malformed-message server');
  });

  it('for a body with fields missing or to spare, cut off, or not canonical', () => {
    const body = from(peer).body;
    for (const name of Object.keys(fields())) {
      const { [name]: _gone, ...rest } = fields();
      expect(fate(encodeCbor(rest))).toBe('abort/malformed-message server');
    }
    expect(fate(withField('extra', 1))).toBe('abort/malformed-message server');
    for (const length of [0, 1, body.length - 1])
      expect(fate(body.slice(0, length))).toBe('abort/malformed-message server');
    expect(fate(Uint8Array.from([...body, 0]))).toBe('abort/malformed-message server');
  });

  it('for points that are none, and for those that are others', () => {
    const partial = theOne(fields()['partial']);
    const point = p256.Point.fromBytes(partial);
    const wrong: [string, Uint8Array, string][] = [
      ['zeros', new Uint8Array(33), 'malformed-message'],
      ['ones', new Uint8Array(33).fill(255), 'malformed-message'],
      ['prefix 4', partial.with(0, 4), 'malformed-message'],
      [
        'x = p',
        Uint8Array.from([2, ...Buffer.from(p256.Point.CURVE().p.toString(16), 'hex')]),
        'malformed-message',
      ],
      ['negated', point.negate().toBytes(), 'bad-proof'],
      ['doubled', point.double().toBytes(), 'bad-proof'],
      ['the generator', p256.Point.BASE.toBytes(), 'bad-proof'],
      ['the ephemeral point', p256.Point.fromBytes(file.point).toBytes(), 'bad-proof'],
    ];
    for (const [name, value, code] of wrong)
      expect(fate(withField('partial', value)), name).toBe(`abort/${code} server`);
  });

  it('and so is each of two', () => {
    const messages = inbox.map((message, i) => ({ ...message, body: theOne(inbox[1 - i]).body }));
    const error = endOf(rehearsal, opener, 1, messages);
    expect(error).toBeInstanceOf(KeepsetError);
    expect(error).toMatchObject({ code: 'abort/bad-proof', culprits: [peer, other], round: 1 });
  });
});
