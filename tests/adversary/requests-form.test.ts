/** Requests whose form is wrong: malformed, truncated or oversized. Each is refused with its own code. */
import { describe, expect, it } from 'vitest';
import { encodeCbor, toHex, utf8ToBytes } from '@keepset/bytes';
import { decodeStepRequest, encodeStepRequest, maxMessageBytes } from '@keepset/wire';
import { send, verdictOf, type RawAnswer } from '../support/raw.ts';
import { keygenRequest } from '../support/steps.ts';
import { as, newSession, phone, post, server, step, stepPath } from './attacked.ts';

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

it('what a request was made of is what arrives', () => {
  const { request: made, body } = keygenRequest(phone.device);
  expect(toHex(encodeStepRequest(decodeStepRequest(body)))).toBe(toHex(body));
  expect(decodeStepRequest(body)).toMatchObject({ session: made.session, start: made.start, step: 1 });
});
