import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeepsetError, decodeCbor, encodeCbor, errorCodes, type ErrorCode } from '@keepset/bytes';
import type { ProtocolMessage, Scheme, SignRequest } from '@keepset/threshold';
import {
  decodeEnrolRequest,
  decodeEnrolResponse,
  decodeError,
  decodeInvitation,
  decodeKeyList,
  decodeResolveRequest,
  decodeSessionOutcome,
  decodeStepRequest,
  decodeStepResponse,
  encodeEnrolRequest,
  encodeEnrolResponse,
  encodeError,
  encodeInvitation,
  encodeKeyList,
  encodeResolveRequest,
  encodeSessionOutcome,
  encodeStepRequest,
  encodeStepResponse,
  type LogEvidence,
  type SessionStart,
  type StepRequest,
  type StepResponse,
} from '../../src/index.ts';

const bytes = (minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength, maxLength });
const hash = bytes(32, 32);
const party = fc.stringMatching(/^[a-z][a-z0-9-]{0,31}$/);
const parties = fc.uniqueArray(party, { minLength: 2, maxLength: 6 });
const keyId = fc.stringMatching(/^[a-z2-7]{26}$/);
const count = fc.maxSafeNat();
const text = (maxLength: number): fc.Arbitrary<string> =>
  fc
    .string({ unit: 'binary', minLength: 1, maxLength })
    .filter((one) => one.isWellFormed() && !one.startsWith('\ufeff') && one.length <= maxLength);
const scheme = fc.constantFrom<Scheme>('ed25519', 'schnorr-secp256k1', 'ecdsa-secp256k1', 'ecdsa-p256');
const index = fc.nat(2 ** 31 - 1);

const message: fc.Arbitrary<ProtocolMessage> = fc.record({
  context: hash,
  round: fc.integer({ min: 1, max: 32 }),
  from: party,
  to: party,
  body: bytes(1, 200),
});
const request: fc.Arbitrary<SignRequest> = fc.record(
  {
    message: bytes(0, 100),
    digest: fc.constantFrom<SignRequest['digest']>('none', 'sha256', 'sha256d', 'keccak256'),
    taproot: fc.record({ merkleRoot: fc.oneof(bytes(0, 0), hash) }),
    path: fc.array(index, { minLength: 1, maxLength: 10 }),
  },
  { requiredKeys: ['message', 'digest'] },
);
// After any session about an epoch comes the next, which is a safe integer too.
const lastEpoch = Number.MAX_SAFE_INTEGER - 1;
const about = { keyId, epoch: fc.maxSafeNat().map((one) => Math.min(one, lastEpoch)) };
const start: fc.Arbitrary<SessionStart> = fc.oneof(
  fc.record({ kind: fc.constant('keygen' as const), scheme, policy: text(300) }),
  fc.record(
    { kind: fc.constant('sign' as const), ...about, quorum: parties, request, presignature: hash },
    { requiredKeys: ['kind', 'keyId', 'epoch', 'quorum', 'request'] },
  ),
  fc.record({
    kind: fc.constant('presign' as const),
    ...about,
    quorum: parties,
    path: fc.array(index, { maxLength: 10 }),
  }),
  fc.record({
    kind: fc.constant('open' as const),
    ...about,
    quorum: parties,
    opener: party,
    ephemeral: bytes(65, 65),
  }),
  fc.record(
    { kind: fc.constant('refresh' as const), ...about, approval: text(64) },
    { requiredKeys: ['kind', 'keyId', 'epoch'] },
  ),
  fc.record(
    {
      kind: fc.constant('reshare' as const),
      ...about,
      dealers: parties,
      policy: text(300),
      approval: text(64),
    },
    { requiredKeys: ['kind', 'keyId', 'epoch', 'dealers', 'policy'] },
  ),
  fc.record(
    { kind: fc.constant('repair' as const), ...about, helpers: parties, target: party, approval: text(64) },
    { requiredKeys: ['kind', 'keyId', 'epoch', 'helpers', 'target'] },
  ),
);
const step = fc.integer({ min: 1, max: 1000 });
const relay = fc.array(fc.record({ party, sealed: bytes(1, 100) }), { minLength: 1, maxLength: 5 });
const stepRequest: fc.Arbitrary<StepRequest> = fc.record(
  {
    session: hash,
    party,
    step,
    start,
    messages: fc.array(message, { maxLength: 5 }),
    relay,
    head: fc.record({ size: count, root: hash }),
  },
  { requiredKeys: ['session', 'step', 'messages'] },
);
const evidence: fc.Arbitrary<LogEvidence> = fc.record({
  record: bytes(1, 200),
  salt: hash,
  index: count,
  checkpoint: fc.oneof(fc.constant(''), text(300)),
  inclusion: fc.array(hash, { maxLength: 10 }),
  consistency: fc.array(hash, { maxLength: 10 }),
});
const stepResponse: fc.Arbitrary<StepResponse> = fc.record(
  {
    session: hash,
    step,
    state: fc.constantFrom('open' as const, 'committed' as const),
    messages: fc.array(message, { maxLength: 5 }),
    relay,
    evidence,
  },
  { requiredKeys: ['session', 'step', 'state', 'messages'] },
);

/** What is written is read, and what was read is written the same. */
const roundTrip = <T>(
  name: string,
  values: fc.Arbitrary<T>,
  write: (value: T) => Uint8Array,
  read: (bytes: Uint8Array) => T,
): void => {
  it(name, () => {
    fc.assert(
      fc.property(values, (value) => {
        const written = write(value);
        expect(read(written)).toEqual(value);
        expect(write(read(written))).toEqual(written);
      }),
      { numRuns: 200 },
    );
  });
};

describe('any message is read as it was written', () => {
  roundTrip('step', stepRequest, encodeStepRequest, decodeStepRequest);
  roundTrip('step-result', stepResponse, encodeStepResponse, decodeStepResponse);
  roundTrip(
    'session-outcome',
    fc.record(
      { session: hash, state: fc.constantFrom('committed' as const, 'void' as const), keyId, evidence },
      { requiredKeys: ['session', 'state'] },
    ),
    encodeSessionOutcome,
    decodeSessionOutcome,
  );
  roundTrip(
    'resolve',
    fc.record({ head: fc.record({ size: count, root: hash }) }, { requiredKeys: [] }),
    encodeResolveRequest,
    decodeResolveRequest,
  );
  roundTrip(
    'enrol',
    fc.record({ code: text(128), publicKey: bytes(33, 33), party }),
    encodeEnrolRequest,
    decodeEnrolRequest,
  );
  roundTrip(
    'enrolled',
    fc.record({
      tenant: text(64),
      device: text(64),
      serverParty: party,
      serverKey: bytes(33, 33),
      logKey: text(256),
    }),
    encodeEnrolResponse,
    decodeEnrolResponse,
  );
  roundTrip('invitation', fc.record({ code: text(128) }), encodeInvitation, decodeInvitation);
  const summary = fc.record({
    keyId,
    scheme,
    epoch: count,
    policy: text(300),
    publicKey: bytes(32, 33),
    state: fc.constantFrom('active' as const, 'frozen' as const),
    createdAt: count,
  });
  roundTrip('keys', fc.array(summary, { maxLength: 10 }), encodeKeyList, decodeKeyList);

  it('and no session is about an epoch that has no next one', () => {
    const of = (epoch: number): (() => StepRequest) => {
      const refresh = { kind: 'refresh', keyId: 'a'.repeat(26), epoch } as const;
      const written = encodeStepRequest({
        session: new Uint8Array(32),
        step: 1,
        messages: [],
        start: refresh,
      });
      return () => decodeStepRequest(written);
    };
    expect(of(lastEpoch)().start).toMatchObject({ epoch: lastEpoch });
    expect(of(lastEpoch + 1)).toThrow(/start\.epoch/);
  });

  it('and an empty path, relay or tweakless request is an absent one', () => {
    const session = new Uint8Array(32);
    const base = { kind: 'sign', keyId: 'a'.repeat(26), epoch: 0, quorum: ['a', 'b'] } as const;
    const plain = { message: new Uint8Array(1), digest: 'none' } as const;
    const of = (value: SignRequest, more: Partial<StepRequest> = {}): Uint8Array =>
      encodeStepRequest({ session, step: 1, messages: [], start: { ...base, request: value }, ...more });
    expect(of({ ...plain, path: [] })).toEqual(of(plain));
    expect(of(plain, { relay: [] })).toEqual(of(plain));
  });
});

describe('an error', () => {
  const error = (
    code: ErrorCode,
    message: string,
    details: ConstructorParameters<typeof KeepsetError>[2] = {},
  ): KeepsetError => decodeError(encodeError(new KeepsetError(code, message, details)));

  it.each(errorCodes)('%s travels with its advice', (code) => {
    const own = new KeepsetError(code, 'text');
    const read = error(code, 'text');
    expect(read).toBeInstanceOf(KeepsetError);
    expect([read.code, read.message, read.retry, read.status, read.exitCode]).toEqual([
      own.code,
      own.message,
      own.retry,
      own.status,
      own.exitCode,
    ]);
    expect([read.culprits, read.hint, read.session, read.round]).toEqual([
      [],
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('travels with all that belongs to it', () => {
    const details = {
      session: 'ab',
      round: 3,
      culprits: ['usb', 'phone'],
      retry: 'same',
      hint: 'Do this.',
    } as const;
    expect(error('abort/bad-share', 'text', details)).toMatchObject({
      code: 'abort/bad-share',
      message: 'text',
      ...details,
    });
  });

  it('leaves its cause and its stack at home', () => {
    const cause = new Error('secret inside', { cause: { deep: 'secret inside' } });
    const bytes = encodeError(new KeepsetError('bug/invariant', 'text', { cause }));
    expect(Buffer.from(bytes).toString('latin1')).not.toContain('secret inside');
    expect(Object.keys(decodeCbor(bytes) as object).toSorted()).toEqual([
      'code',
      'culprits',
      'message',
      'retry',
      'type',
      'v',
    ]);
    expect('cause' in decodeError(bytes)).toBe(false);
  });

  it.each([
    'abort/from-the-future',
    'nonsense',
    '',
    '__proto__',
    'constructor',
    'toString',
    'Abort/bad-share',
  ])('of the unknown code %j is a bad response, and takes nothing else with it', (code) => {
    const sent = encodeCbor({
      v: 1,
      type: 'error',
      code,
      message: 'do as I say',
      retry: 'same',
      culprits: ['phone'],
      hint: 'pay',
    });
    const read = decodeError(sent);
    expect(read).toMatchObject({
      code: 'transport/bad-response',
      retry: 'never',
      culprits: [],
      hint: expect.stringMatching(/^Compare .keepset --version./),
    });
    expect(read.message).not.toContain('do as I say');
  });

  it('travels whatever its text is', () => {
    const anyText = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 1500 }),
      fc.constant('\ufeff'),
      fc.constant(`${'x'.repeat(999)}\u{1f511}`),
      fc.constant('\ud800'.repeat(2000)),
    );
    fc.assert(
      fc.property(
        anyText,
        anyText,
        fc.array(anyText, { maxLength: 40 }),
        fc.oneof(fc.integer(), fc.double()),
        (message, hint, culprits, round) => {
          const read = error('abort/bad-share', message, { hint, culprits, session: hint, round });
          expect(read.code).toBe('abort/bad-share');
          expect(read.message.length).toBeLessThanOrEqual(1000);
          expect(read.culprits.length).toBeLessThanOrEqual(32);
        },
      ),
    );
  });

  it('cannot write on the reader’s terminal', () => {
    const evil = 'ok\u001b[2J\r\nSigned.\u009b0m\u0007';
    const sent = encodeCbor({
      v: 1,
      type: 'error',
      code: 'abort/bad-share',
      message: evil,
      retry: 'same',
      culprits: [evil],
      hint: evil,
      session: evil,
    });
    const { message, hint, culprits, session } = decodeError(sent);
    for (const shown of [message, hint, culprits[0], session])
      expect(shown).toBe(String.raw`ok\u{1b}[2J\u{d}\u{a}Signed.\u{9b}0m\u{7}`);
    const unknown = decodeError(
      encodeCbor({ v: 1, type: 'error', code: evil, message: '', retry: 'same', culprits: [] }),
    );
    expect(unknown.message).not.toMatch(/\p{Cc}/u);
  });
});
