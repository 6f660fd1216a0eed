/** Sessions that cannot be: steps out of order, key generations and signatures that nobody may have. */
import { describe, expect, it } from 'vitest';
import { encodeCbor, toHex, utf8ToBytes } from '@keepset/bytes';
import { runSign } from '@keepset/ceremony';
import { decodeStepResponse, encodeStepRequest, type StepRequest } from '@keepset/wire';
import { errorIn, verdictOf } from '../support/raw.ts';
import { keygenRequest, nextRequest, signRequestOf } from '../support/steps.ts';
import { key, open, phone, request, step } from './attacked.ts';

describe('out of order', () => {
  it('a session that begins with its second step', async () => {
    const first = keygenRequest(phone.device);
    const second = { ...first.request, step: 2 };
    const { start: _, ...rest } = second;
    expect(verdictOf(await step(first.session, encodeStepRequest(rest), 2))).toBe('410 store/session-void');
    expect(verdictOf(await step(first.session, encodeStepRequest(second), 2))).toBe('410 store/session-void');
  });

  it('a step left out, taken back, or taken again with something else', async () => {
    const first = keygenRequest(phone.device);
    expect(verdictOf(await step(first.session, first.body))).toBe('200');
    const { start: _, ...bare } = first.request;
    expect(verdictOf(await step(first.session, encodeStepRequest({ ...bare, step: 3 }), 3))).toBe(
      '409 store/conflict',
    );
    const other = keygenRequest(phone.device, 'ed25519', first.session);
    expect(verdictOf(await step(first.session, other.body))).toBe('409 store/conflict');
    // The same again is answered again.
    expect(verdictOf(await step(first.session, first.body))).toBe('200');
  });

  it('the same step with the same bytes gets the same answer, before and after the end', async () => {
    const first = keygenRequest(phone.device, 'schnorr-secp256k1');
    const opened = await step(first.session, first.body);
    expect(toHex((await step(first.session, first.body)).body)).toBe(toHex(opened.body));
    const second = nextRequest(first, decodeStepResponse(opened.body).messages, (await open()).head);
    const done = await step(first.session, second.body, 2);
    expect(decodeStepResponse(done.body).state).toBe('committed');
    expect(toHex((await step(first.session, second.body, 2)).body)).toBe(toHex(done.body));
    expect(verdictOf(await step(first.session, first.body))).toBe('409 store/conflict');
  });

  it('one session serves one purpose: keygen or signature', async () => {
    const { share, head } = await open();
    const first = keygenRequest(phone.device);
    expect(verdictOf(await step(first.session, first.body))).toBe('200');
    const reused = signRequestOf(phone.device, share, request, { session: first.session, head });
    expect(verdictOf(await step(first.session, reused.body))).toBe('409 store/conflict');

    const sign = signRequestOf(phone.device, share, request, { head });
    expect(verdictOf(await step(sign.session, sign.body))).toBe('200');
    const keygen = keygenRequest(phone.device, 'ed25519', sign.session);
    expect(verdictOf(await step(sign.session, keygen.body))).toBe('409 store/conflict');
  });

  it('a session that was given up stays so', async () => {
    const first = keygenRequest(phone.device);
    const opened = await step(first.session, first.body);
    await phone.device.transport.resolve(first.session);
    const second = nextRequest(first, decodeStepResponse(opened.body).messages);
    for (const [body, at] of [
      [second.body, 2],
      [first.body, 1],
    ] as const)
      expect(verdictOf(await step(first.session, body, at))).toBe('410 store/session-void');
  });

  it('resolving a session that never was makes it void', async () => {
    const { session, body } = keygenRequest(phone.device);
    expect(await phone.device.transport.resolve(session)).toMatchObject({ state: 'void' });
    expect(verdictOf(await step(session, body))).toBe('410 store/session-void');
  });
});

describe('a key generation that cannot be', () => {
  it.each<[string, string, string]>([
    ['a policy with an error', 'and(server,', '400 policy/syntax'],
    ['a policy with too many brackets', `${'and('.repeat(40)}server`, '400 policy/syntax'],
    ['a policy not in canonical form', 'and(server, phone)', '422 policy/unsupported'],
    ['a policy that one alone satisfies', 'or(phone,server)', '422 policy/unsupported'],
    ['a nested policy that one alone satisfies', 'or(server,and(phone,laptop))', '422 policy/unsupported'],
    ['a policy that does not name the device', 'and(server,or(laptop,tablet))', '409 abort/unknown-party'],
  ])('%s', async (_, policy, verdict) => {
    const { session, request: good } = keygenRequest(phone.device);
    const body = encodeStepRequest({ ...good, start: { kind: 'keygen', scheme: 'ed25519', policy } });
    expect(verdictOf(await step(session, body))).toBe(verdict);
  });

  it('the error of a policy says where it is', async () => {
    const { session, request: good } = keygenRequest(phone.device);
    const start = { kind: 'keygen', scheme: 'ed25519', policy: 'and(server,phone' } as const;
    const answer = await step(session, encodeStepRequest({ ...good, start }));
    expect(errorIn(answer).message).toContain('position 17');
  });

  it('messages of another session, party or round', async () => {
    const { messages } = keygenRequest(phone.device).request;
    const cases: [StepRequest['messages'], RegExp][] = [
      [messages, /^409 abort\/wrong-session$/],
      [[], /^(200|400 wire\/malformed)$/],
      [
        messages.map((message) => ({ ...message, from: 'laptop' })),
        /^409 abort\/(unknown-party|wrong-session)$/,
      ],
      [messages.map((message) => ({ ...message, to: 'laptop' })), /^409 abort\/wrong-session$/],
    ];
    for (const [changed, verdict] of cases) {
      const { session, request: good } = keygenRequest(phone.device);
      expect(verdictOf(await step(session, encodeStepRequest({ ...good, messages: changed })))).toMatch(
        verdict,
      );
    }
    const { session, request: good } = keygenRequest(phone.device);
    const later = good.messages.map((message) => ({ ...message, round: 9 }));
    expect(verdictOf(await step(session, encodeStepRequest({ ...good, messages: later })))).toBe(
      '409 abort/wrong-round',
    );
    const twice = keygenRequest(phone.device);
    const doubled = [...twice.request.messages, ...twice.request.messages];
    expect(
      verdictOf(await step(twice.session, encodeStepRequest({ ...twice.request, messages: doubled }))),
    ).toBe('409 abort/duplicate-message');
  });
});

describe('a signature that cannot be', () => {
  const attempt = async (change: (good: StepRequest) => StepRequest): Promise<string> => {
    const { share, head } = await open();
    const { session, request: good } = signRequestOf(phone.device, share, request, { head });
    return verdictOf(await step(session, encodeStepRequest(change(good))));
  };
  const start = (good: StepRequest, change: object): StepRequest =>
    ({ ...good, start: { ...good.start, ...change } }) as StepRequest;

  it.each<[string, (good: StepRequest) => StepRequest, RegExp]>([
    ['an unknown key', (good) => start(good, { keyId: 'a'.repeat(26) }), /^404 input\/unknown-key$/],
    ['another epoch', (good) => start(good, { epoch: 1 }), /^409 abort\/wrong-epoch$/],
    [
      'a quorum without the server',
      (good) => start(good, { quorum: ['laptop', 'phone'] }),
      /^422 policy\/unsatisfied$/,
    ],
    [
      'a quorum with a stranger',
      (good) => start(good, { quorum: ['server', 'laptop'] }),
      /^(409 abort\/unknown-party|4\d\d policy\/.*)$/,
    ],
    [
      'a quorum in another order',
      (good) => start(good, { quorum: ['phone', 'server'] }),
      /^4\d\d (input|abort)\//,
    ],
    [
      'another message than was committed to',
      (good) => start(good, { request: { message: utf8ToBytes('x'), digest: 'none' } }),
      /^409 abort\/wrong-session$/,
    ],
    [
      'a digest the scheme does not have',
      (good) => start(good, { request: { ...request, digest: 'sha256' } }),
      /^4\d\d (input|abort)\//,
    ],
    [
      'a tweak the scheme does not have',
      (good) => start(good, { request: { ...request, taproot: { merkleRoot: new Uint8Array(0) } } }),
      /^4\d\d (input|abort)\//,
    ],
    ['no nonce commitment', (good) => ({ ...good, messages: [] }), /^(4\d\d (wire|abort)\/.*|200)$/],
    [
      'a malformed nonce commitment',
      (good) => ({
        ...good,
        messages: good.messages.map((m) => ({
          ...m,
          body: encodeCbor({
            random: new Uint8Array(32),
            hiding: new Uint8Array(32),
            binding: new Uint8Array(32),
          }),
        })),
      }),
      /^409 abort\/(bad-commitment|malformed-message)$/,
    ],
    [
      'a nonce commitment that is no CBOR',
      (good) => ({ ...good, messages: good.messages.map((m) => ({ ...m, body: new Uint8Array([0xff]) })) }),
      /^409 abort\/malformed-message$/,
    ],
  ])('%s', async (_, change, verdict) => {
    expect(await attempt(change)).toMatch(verdict);
  });

  it.each<[string, (head: { size: number; root: Uint8Array }) => { size: number; root: Uint8Array }]>([
    ['longer than the log', ({ root }) => ({ size: 1_000_000, root })],
    ['of another log', ({ size }) => ({ size, root: new Uint8Array(32) })],
    ['of nothing', () => ({ size: 0, root: new Uint8Array(32) })],
    ['of a size beyond all bounds', ({ root }) => ({ size: Number.MAX_SAFE_INTEGER, root })],
  ])('a log head %s: the server stops, it does not sign', async (_, change) => {
    const { head } = await open();
    expect(await attempt((good) => ({ ...good, head: change(head) }))).toBe('500 store/rollback');
  });

  it('and all this has cost nothing: the key signs', async () => {
    const { signature } = await runSign(phone.device, { keyId: key.keyId, request });
    expect(signature).toHaveLength(64);
  });
});
