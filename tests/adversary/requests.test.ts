/** Requests that must be refused, each with its own code; the server then works as before and has lost nothing. */
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { encodeCbor, toHex, utf8ToBytes } from '@keepset/bytes';
import { runKeygen, runSign, type GroupKey } from '@keepset/ceremony';
import { startServer, type RunningServer } from '@keepset/server';
import { authPublicKey, generateAuthKey, softwareSigner } from '@keepset/transport';
import {
  decodeSessionOutcome,
  decodeStepRequest,
  decodeStepResponse,
  encodeEnrolRequest,
  encodeMessage,
  encodeStepRequest,
  maxMessageBytes,
  type StepRequest,
  encodeResolveRequest,
} from '@keepset/wire';
import { newDevice, type TestDevice } from '../support/device.ts';
import { temporaryFolder } from '../support/folders.ts';
import {
  errorIn,
  nowSeconds,
  send,
  signed,
  verdictOf,
  type Plain,
  type RawAnswer,
  type RawRequest,
} from '../support/raw.ts';
import { serverOptions } from '../support/server.ts';
import { keygenRequest, nextRequest, signRequestOf } from '../support/steps.ts';

const folder = temporaryFolder();
let server: RunningServer;
let phone: TestDevice;
let laptop: TestDevice;
let key: GroupKey;
beforeAll(async () => {
  server = await startServer(serverOptions(folder));
  phone = await newDevice(server.invite());
  laptop = await newDevice(server.invite(), 'laptop');
  key = await runKeygen(phone.device, { scheme: 'ed25519', policy: 'and(server,phone)' });
});
afterAll(async () => {
  phone.close();
  laptop.close();
  await server.close();
});

const request = { message: utf8ToBytes('hello'), digest: 'none' } as const;

/** After every refusal: the key is there, and the server answers. */
afterEach(async () => {
  expect(await phone.device.transport.keys()).toContainEqual(
    expect.objectContaining({ keyId: key.keyId, state: 'active' }),
  );
  expect(await laptop.device.transport.keys()).toEqual([]);
});

const as =
  (device: TestDevice) =>
  (plain: Plain, moment = {}) =>
    signed(server.url, plain, device.signer, moment);
const post = (wanted: RawRequest): Promise<RawAnswer> => send(server.url, wanted);
const stepPath = (session: Uint8Array, step = 1): string => `/v1/sessions/${toHex(session)}/steps/${step}`;
const newSession = (): Uint8Array => new Uint8Array(randomBytes(32));
/** Sends a step with this body, signed by the phone. */
const step = async (session: Uint8Array, body: Uint8Array, at = 1, device = phone): Promise<RawAnswer> =>
  post(await as(device)({ path: stepPath(session, at), body }));
const open = async () => {
  const share = await phone.device.vault.open(key.keyId);
  return { share, head: (await phone.device.logPin.load())! };
};

describe('malformed', () => {
  const session = newSession();
  const valid = () => keygenRequest(phone.device, 'ed25519', session).request;
  const fields = (change: object) => encodeCbor({ ...(valid() as object), v: 1, type: 'step', ...change });

  it.each<[string, () => Uint8Array, string]>([
    ['nothing', () => new Uint8Array(0), '400 wire/malformed'],
    ['no CBOR', () => utf8ToBytes('hello'), '400 wire/malformed'],
    ['CBOR that is no map', () => encodeCbor([1, 2, 3]), '400 wire/malformed'],
    ['a map without version', () => encodeCbor({ type: 'step' }), '400 wire/malformed'],
    ['another version', () => fields({ v: 2 }), '400 wire/unsupported-version'],
    ['another type', () => fields({ type: 'enrol' }), '400 wire/malformed'],
    ['an unknown field', () => fields({ more: 1 }), '400 wire/malformed'],
    ['a field too few', () => fields({ messages: undefined }), '400 wire/malformed'],
    ['a short session', () => fields({ session: new Uint8Array(31) }), '400 wire/malformed'],
    ['step 0', () => fields({ step: 0 }), '400 wire/malformed'],
    ['text for a number', () => fields({ step: '1' }), '400 wire/malformed'],
    ['an unknown kind', () => fields({ start: { kind: 'drain' } }), '400 wire/malformed'],
    [
      'an unknown scheme',
      () => fields({ start: { kind: 'keygen', scheme: 'rsa', policy: 'x' } }),
      '400 wire/malformed',
    ],
    ['a party that is none', () => fields({ party: 'Not A Party' }), '400 wire/malformed'],
    ['257 messages', () => fields({ messages: Array(257).fill(valid().messages[0]) }), '400 wire/malformed'],
    [
      'bytes after the end',
      () => Buffer.concat([encodeStepRequest(valid()), Buffer.of(0)]),
      '400 wire/malformed',
    ],
    // {type: "step", v: 1}, where the shorter key should stand first; then {v: 1} with the number in two bytes.
    ['keys out of order', () => Buffer.from('a264747970656473746570617601', 'hex'), '400 wire/not-canonical'],
    ['a number that is too long', () => Buffer.from('a161761801', 'hex'), '400 wire/malformed'],
    ['an indefinite map', () => Buffer.from('bf617601ff', 'hex'), '400 wire/malformed'],
    ['a key twice', () => Buffer.from('a2617601617601', 'hex'), '400 wire/malformed'],
    ['a tag', () => Buffer.from('c1a1617601', 'hex'), '400 wire/malformed'],
    ['deep nesting', () => Buffer.alloc(100_000, 0x81), '400 wire/malformed'],
    ['a length beyond all bounds', () => Buffer.from('5b7fffffffffffffff', 'hex'), '400 wire/malformed'],
  ])('%s', async (_, body, verdict) => {
    expect(verdictOf(await step(session, body()))).toBe(verdict);
  });

  it('a body that names another session or step than its address', async () => {
    const { body } = keygenRequest(phone.device);
    expect(verdictOf(await step(newSession(), body))).toBe('400 wire/malformed');
    const other = keygenRequest(phone.device);
    expect(verdictOf(await step(other.session, other.body, 2))).toBe('400 wire/malformed');
  });

  it.each([
    ['/v1/sessions/00/steps/1', '400 wire/malformed'],
    [`/v1/sessions/${'G'.repeat(64)}/steps/1`, '400 wire/malformed'],
    [`/v1/sessions/${'A'.repeat(64)}/steps/1`, '400 wire/malformed'],
    [`/v1/sessions/${'0'.repeat(64)}/steps/0`, '400 wire/malformed'],
    [`/v1/sessions/${'0'.repeat(64)}/steps/-1`, '400 wire/malformed'],
    [`/v1/sessions/${'0'.repeat(64)}/steps/1e3`, '400 wire/malformed'],
    [`/v1/sessions/${'0'.repeat(64)}/resolve/`, '404 transport/not-found'],
    ['/v1/sessions/../keys/steps/1', '404 transport/not-found'],
    ['/v2/keys', '404 transport/not-found'],
    ['/', '404 transport/not-found'],
    ['/v1/keys', '404 transport/not-found'],
    ['/%', '400 wire/malformed'],
    ['/v1/sessions/%00/steps/1', '400 wire/malformed'],
  ])('the address %s', async (path, verdict) => {
    expect(verdictOf(await post(await as(phone)({ path })))).toBe(verdict);
  });

  it.each(['application/json', 'text/plain', 'application/cbor-seq', 'multipart/form-data; boundary=x'])(
    'content of type %s',
    async (contentType) => {
      const { session: other, body } = keygenRequest(phone.device);
      const sent = await as(phone)({ path: stepPath(other), body, contentType });
      expect(verdictOf(await post(sent))).toBe('400 wire/malformed');
    },
  );

  it('content of no type', async () => {
    const { session: other, body } = keygenRequest(phone.device);
    const { headers, ...sent } = await as(phone)({ path: stepPath(other), body });
    const { 'content-type': _, ...rest } = headers;
    expect(verdictOf(await post({ ...sent, headers: rest }))).toMatch(/^(400 wire|401 transport)\//);
  });

  it('an address for the log’s tiles that is none', async () => {
    for (const path of [
      'x',
      '0',
      '0/',
      '0/x',
      '9/000',
      '0/1000',
      '../keys',
      'entries/',
      '0/000.p/0',
      '63/999.p/255',
      '-1/000',
    ])
      expect(
        (
          await send(server.url, {
            method: 'GET',
            path: `/v1/log/tile/${path}`,
            body: new Uint8Array(0),
            headers: {},
          })
        ).status,
      ).toSatisfy((status: number) => status === 400 || status === 404);
  });
});

describe('truncated', () => {
  it('a body cut off anywhere is malformed', async () => {
    const { session, body } = keygenRequest(phone.device);
    for (let length = 1; length < body.length; length += 37)
      expect(verdictOf(await step(session, body.subarray(0, length)))).toBe('400 wire/malformed');
    // Whole, it is still good: nothing has happened under this session.
    expect(verdictOf(await step(session, body))).toBe('200');
  });

  it('a body shorter than announced never reaches the protocol', async () => {
    const { session, body } = keygenRequest(phone.device);
    const { headers, ...sent } = await as(phone)({ path: stepPath(session), body });
    await expect(
      send(server.url, {
        ...sent,
        body: body.subarray(1),
        headers: { ...headers, 'content-length': String(body.length) },
      }),
    ).resolves.toSatisfy((answer: RawAnswer) => answer.status >= 400);
  });
});

describe('oversized', () => {
  it('a body of one megabyte is read, one byte more is not', async () => {
    const session = newSession();
    expect(verdictOf(await step(session, new Uint8Array(maxMessageBytes)))).toBe('400 wire/malformed');
    expect(verdictOf(await step(session, new Uint8Array(maxMessageBytes + 1)))).toBe('413 wire/too-large');
  });

  it('a body of unknown length is cut off as well', async () => {
    const sent = await as(phone)({ path: stepPath(newSession()), body: new Uint8Array(3 * maxMessageBytes) });
    await expect(send(server.url, sent, true)).resolves.toSatisfy(
      (answer: RawAnswer) => verdictOf(answer) === '413 wire/too-large',
    );
  });

  it('headers of 100 kB', async () => {
    const sent = await as(phone)({ method: 'GET', path: '/v1/keys' });
    const answer = await post({ ...sent, headers: { ...sent.headers, 'x-more': 'x'.repeat(100_000) } });
    expect(answer.status).toBe(431);
  });
});

describe('unsigned', () => {
  it.each(['signature', 'signature-input', 'content-digest'] as const)('without %s', async (name) => {
    const { headers, ...sent } = await as(phone)({ method: 'GET', path: '/v1/keys' });
    const { [name]: _, ...rest } = headers;
    expect(verdictOf(await post({ ...sent, headers: rest }))).toBe('401 transport/unsigned');
  });

  it('at every address', async () => {
    const session = toHex(newSession());
    for (const [method, path] of [
      ['GET', '/v1/keys'],
      ['POST', `/v1/sessions/${session}/steps/1`],
      ['POST', `/v1/sessions/${session}/resolve`],
      ['POST', '/v1/invitations'],
    ] as const)
      expect(verdictOf(await post({ method, path, body: new Uint8Array(0), headers: {} }))).toBe(
        '401 transport/unsigned',
      );
    const enrol = encodeEnrolRequest({
      code: 'x',
      publicKey: authPublicKey(generateAuthKey()),
      party: 'phone',
    });
    const headers = { 'content-type': 'application/cbor' };
    expect(verdictOf(await post({ method: 'POST', path: '/v1/enrolments', body: enrol, headers }))).toBe(
      '401 transport/unsigned',
    );
  });
});

describe('wrongly signed', () => {
  it('by another key under this device’s name', async () => {
    const impostor = { ...softwareSigner(generateAuthKey()), keyId: phone.signer.keyId };
    const sent = await signed(server.url, { method: 'GET', path: '/v1/keys' }, impostor);
    expect(verdictOf(await post(sent))).toBe('401 transport/bad-signature');
  });

  it('by a key that is not enrolled: in the same words, so that nobody can find out who is', async () => {
    const unknown = await post(
      await signed(server.url, { method: 'GET', path: '/v1/keys' }, softwareSigner(generateAuthKey())),
    );
    expect(verdictOf(unknown)).toBe('401 transport/bad-signature');
    const impostor = { ...softwareSigner(generateAuthKey()), keyId: phone.signer.keyId };
    const wrong = await post(await signed(server.url, { method: 'GET', path: '/v1/keys' }, impostor));
    expect(toHex(unknown.body)).toBe(toHex(wrong.body));
  });

  it('another body, method, address, host or content type than was signed', async () => {
    const { session, body } = keygenRequest(phone.device);
    const good = await as(phone)({ path: stepPath(session), body });
    const changes: Partial<RawRequest>[] = [
      { body: keygenRequest(phone.device).body },
      { body: new Uint8Array(0) },
      { path: stepPath(newSession()) },
      { path: `${stepPath(session)}?x=1` },
      { headers: { ...good.headers, host: 'keys.example.org' } },
    ];
    for (const change of changes)
      expect(verdictOf(await post({ ...good, ...change }))).toBe('401 transport/bad-signature');
    const read = await as(phone)({ method: 'GET', path: '/v1/keys' });
    expect(verdictOf(await post({ ...read, path: '/v1/keys?all' }))).toBe('401 transport/bad-signature');
    const asWrite = await as(phone)({ method: 'GET', path: '/v1/invitations' });
    expect(verdictOf(await post({ ...asWrite, method: 'POST' }))).toBe('401 transport/bad-signature');
  });

  it('two signatures, a label twice, other components', async () => {
    const first = await as(phone)({ method: 'GET', path: '/v1/keys' });
    const second = await as(phone)({ method: 'GET', path: '/v1/keys' });
    const input = first.headers['signature-input'];
    const changes: RawRequest['headers'][] = [
      { signature: [first.headers.signature, second.headers.signature] },
      { signature: [second.headers.signature, first.headers.signature] },
      { signature: [first.headers.signature, first.headers.signature] },
      { 'signature-input': [input, input], signature: [first.headers.signature, first.headers.signature] },
      { 'signature-input': [input, second.headers['signature-input']] },
      { 'content-digest': [first.headers['content-digest'], first.headers['content-digest']] },
      { 'signature-input': input.replace('"content-type" ', '') },
      { 'signature-input': input.replace('"@path"', '"@target-uri"') },
    ];
    for (const change of changes)
      expect(verdictOf(await post({ ...first, headers: { ...first.headers, ...change } }))).toBe(
        '401 transport/bad-signature',
      );
    expect(verdictOf(await post(first))).toBe('200');
  });

  it('by one device in another’s name', async () => {
    const sent = await as(laptop)({ method: 'GET', path: '/v1/keys' });
    const input = sent.headers['signature-input'].replace(laptop.signer.keyId, phone.signer.keyId);
    expect(verdictOf(await post({ ...sent, headers: { ...sent.headers, 'signature-input': input } }))).toBe(
      '401 transport/bad-signature',
    );
  });
});

describe('expired', () => {
  it.each([-3600, -62, 62, 3600])('signed %i seconds from now', async (offset) => {
    const sent = await as(phone)({ method: 'GET', path: '/v1/keys' }, { created: nowSeconds() + offset });
    const answer = await post(sent);
    expect(verdictOf(answer)).toBe('401 transport/expired');
    expect(errorIn(answer)).toMatchObject({ retry: 'same', hint: expect.stringContaining('clock') });
  });

  it.each([-55, 55])('signed %i seconds from now is still good', async (offset) => {
    const sent = await as(phone)({ method: 'GET', path: '/v1/keys' }, { created: nowSeconds() + offset });
    expect(verdictOf(await post(sent))).toBe('200');
  });
});

describe('replayed', () => {
  it('the same request is answered once', async () => {
    const sent = await as(phone)({ method: 'GET', path: '/v1/keys' });
    expect(verdictOf(await post(sent))).toBe('200');
    expect(verdictOf(await post(sent))).toBe('401 transport/replayed');
  });

  it('another request under the same nonce is refused too', async () => {
    const nonce = 'a-nonce-that-comes-twice';
    const { session, body } = keygenRequest(phone.device);
    expect(verdictOf(await post(await as(phone)({ method: 'GET', path: '/v1/keys' }, { nonce })))).toBe(
      '200',
    );
    expect(verdictOf(await post(await as(phone)({ path: stepPath(session), body }, { nonce })))).toBe(
      '401 transport/replayed',
    );
  });

  it('many copies at once: exactly one is answered', async () => {
    const sent = await as(phone)({ method: 'GET', path: '/v1/keys' });
    const verdicts = (await Promise.all(Array.from({ length: 10 }, () => post(sent)))).map(verdictOf);
    expect(verdicts.filter((verdict) => verdict === '200')).toHaveLength(1);
    expect(verdicts.filter((verdict) => verdict === '401 transport/replayed')).toHaveLength(9);
  });

  it('a refused request does not spend its nonce for the one it imitates', async () => {
    const sent = await as(phone)({ method: 'GET', path: '/v1/keys' });
    expect(verdictOf(await post({ ...sent, path: '/v1/keys?' }))).toMatch(/^(200|401 .*)$/);
    const forged = await as(phone)({ method: 'GET', path: '/v1/keys' });
    expect(verdictOf(await post({ ...forged, method: 'POST', path: '/v1/invitations' }))).toBe(
      '401 transport/bad-signature',
    );
    expect(verdictOf(await post(forged))).toBe('200');
  });

  it('after a restart of the server as well', async () => {
    const sent = await as(phone)({ method: 'GET', path: '/v1/keys' });
    expect(verdictOf(await post(sent))).toBe('200');
    const port = Number(new URL(server.url).port);
    await server.close();
    server = await startServer(serverOptions(folder, { port }));
    expect(verdictOf(await post(sent))).toBe('401 transport/replayed');
  });
});

describe('across tenants', () => {
  it('another user’s key cannot be used or seen', async () => {
    const { share } = await open();
    const { session, body } = signRequestOf(phone.device, share, request);
    expect(verdictOf(await step(session, body, 1, laptop))).toBe('404 input/unknown-key');
    // The same words as for a key that nobody has.
    const nobodys = { ...share, group: { ...share.group, keyId: 'a'.repeat(26) } };
    const unknown = signRequestOf(phone.device, nobodys, request);
    const answer = await step(unknown.session, unknown.body, 1, laptop);
    expect(errorIn(answer).message.replace('a'.repeat(26), key.keyId)).toBe(
      errorIn(await step(session, body, 1, laptop)).message,
    );
  });

  it('another user’s session cannot be continued, ended or read', async () => {
    const first = keygenRequest(phone.device);
    const opened = await step(first.session, first.body);
    const second = nextRequest(first, decodeStepResponse(opened.body).messages);
    expect(verdictOf(await step(first.session, second.body, 2, laptop))).toBe('410 store/session-void');
    expect(toHex((await step(first.session, first.body, 1, laptop)).body)).not.toBe(toHex(opened.body));
    const ended = await post(
      await as(laptop)({
        path: `/v1/sessions/${toHex(first.session)}/resolve`,
        body: encodeResolveRequest({}),
      }),
    );
    expect(decodeSessionOutcome(ended.body)).toMatchObject({ state: 'void' });
    // The owner goes on as if nothing had been.
    const again = await step(first.session, first.body);
    expect(toHex(again.body)).toBe(toHex(opened.body));
    const done = decodeStepResponse((await step(first.session, (await headed(second)).body, 2)).body);
    expect(done.state).toBe('committed');
  });

  /** The request with the phone's newest log head, without which the server need not prove growth. */
  const headed = async ({ request: bare }: { readonly request: StepRequest }) => {
    const head = await phone.device.logPin.load();
    return { body: encodeStepRequest({ ...bare, ...(head === undefined ? {} : { head }) }) };
  };
});

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

describe('enrolment that is refused', () => {
  const secret = generateAuthKey();
  const publicKey = authPublicKey(secret);
  const enrol = async (fields: object, signer = softwareSigner(secret)): Promise<RawAnswer> => {
    const body = encodeMessage('enrol', { code: 'abcdefgh', publicKey, party: 'phone', ...fields });
    return post(await signed(server.url, { path: '/v1/enrolments', body }, signer));
  };
  const codeOf = (invitation: string): string => /#([a-z2-7]+)/.exec(invitation)?.[1] ?? '';

  it('an unknown code', async () => {
    expect(verdictOf(await enrol({}))).toBe('403 transport/enrolment-refused');
  });

  it('a key the request was not signed with', async () => {
    const code = codeOf(server.invite());
    const other = softwareSigner(generateAuthKey());
    expect(verdictOf(await enrol({ code }, other))).toBe('401 transport/bad-signature');
    expect(verdictOf(await enrol({ code }, { ...other, keyId: softwareSigner(secret).keyId }))).toBe(
      '401 transport/bad-signature',
    );
    // The code is not spent by that.
    const first = await enrol({ code });
    expect(verdictOf(first)).toBe('200');
    // Asked again it says the same: the first answer may have been lost.
    expect((await enrol({ code })).body).toEqual(first.body);
    const thief = generateAuthKey();
    const stolen = { code, publicKey: authPublicKey(thief) };
    expect(verdictOf(await enrol(stolen, softwareSigner(thief)))).toBe('403 transport/enrolment-refused');
    // Nor may a key enrol twice, with another code.
    expect(verdictOf(await enrol({ code: codeOf(server.invite()) }))).toBe('403 transport/enrolment-refused');
  });

  it('a key that is none, or a party that is the server', async () => {
    const code = codeOf(server.invite());
    const bad = new Uint8Array(33).fill(0xff);
    expect(verdictOf(await enrol({ code, publicKey: bad }))).toMatch(/^40[01] /);
    const other = generateAuthKey();
    const own = { code, publicKey: authPublicKey(other) };
    expect(verdictOf(await enrol({ ...own, party: 'server' }, softwareSigner(other)))).toBe(
      '400 input/invalid-argument',
    );
    expect(verdictOf(await enrol({ ...own, party: 'Phone' }, softwareSigner(other)))).toBe(
      '400 wire/malformed',
    );
    expect(verdictOf(await enrol(own, softwareSigner(other)))).toBe('200');
  });

  it('two devices that bring the same code at once: one is enrolled', async () => {
    const code = codeOf(server.invite());
    const secrets = Array.from({ length: 5 }, generateAuthKey);
    const answers = await Promise.all(
      secrets.map((one) => enrol({ code, publicKey: authPublicKey(one) }, softwareSigner(one))),
    );
    expect(answers.map(verdictOf).sort()).toEqual([
      '200',
      ...Array<string>(4).fill('403 transport/enrolment-refused'),
    ]);
  });
});

it('what a request was made of is what arrives', () => {
  const { request: made, body } = keygenRequest(phone.device);
  expect(toHex(encodeStepRequest(decodeStepRequest(body)))).toBe(toHex(body));
  expect(decodeStepRequest(body)).toMatchObject({ session: made.session, start: made.start, step: 1 });
});
