import { createPublicKey, verify as verifyWithNode } from 'node:crypto';
import * as fc from 'fast-check';
import { httpbis } from 'http-message-signatures';
import { describe, expect, it } from 'vitest';
import { KeepsetError, toBase64Url } from '@keepset/bytes';
import { p256 } from '@noble/curves/nist.js';
import {
  authKeyId,
  authPublicKey,
  generateAuthKey,
  readSignature,
  signRequest,
  signResponse,
  signatureBytes,
  softwareSigner,
  verifierFor,
  verifyRequest,
  verifyResponse,
  type ReceivedHeaders,
  type SignableRequest,
  type SignableResponse,
  type SignatureHeaders,
} from '../src/index.ts';

const secret = generateAuthKey();
const publicKey = authPublicKey(secret);
const signer = softwareSigner(secret);
const verify = verifierFor(publicKey);
const stranger = verifierFor(authPublicKey(generateAuthKey()));
const moment = { created: 1_800_000_000, nonce: 'a-nonce-of-many-characters' };
const request: SignableRequest = {
  method: 'POST',
  authority: 'keys.example.org:7443',
  path: '/v1/sessions/00/steps/1',
  query: '?',
  contentType: 'application/cbor',
  body: new Uint8Array([1, 2, 3]),
};
const response: SignableResponse = {
  status: 200,
  contentType: 'application/cbor',
  body: new Uint8Array([4]),
};

/** The code of what a promise is refused with. */
const refusal = async (work: () => unknown): Promise<string> => {
  try {
    await work();
  } catch (error) {
    if (error instanceof KeepsetError) return error.code;
    throw error;
  }
  return 'accepted';
};

/** Node's own ECDSA: neither the code under test nor its library. */
const nodeKey = ((): ReturnType<typeof createPublicKey> => {
  const point = p256.Point.fromBytes(publicKey).toBytes(false);
  const [x, y] = [toBase64Url(point.subarray(1, 33)), toBase64Url(point.subarray(33))];
  return createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
})();
const nodeVerify = (data: Uint8Array, signature: Uint8Array): boolean =>
  verifyWithNode('sha256', data, { key: nodeKey, dsaEncoding: 'ieee-p1363' }, signature);

/** A header the other library added: its types do not know it. */
const headerOf = (message: { readonly headers: Readonly<Record<string, unknown>> }, name: string): string =>
  String(message.headers[name]);

describe('requests', () => {
  it('verify under the key that signed them, and name it, the time and the nonce', async () => {
    const headers = await signRequest(request, signer, moment);
    expect(await verifyRequest(request, headers, verify)).toEqual({ ...moment, keyId: signer.keyId });
    expect(signer.keyId).toBe(authKeyId(publicKey));
    expect(await refusal(() => verifyRequest(request, headers, stranger))).toBe('transport/bad-signature');
  });

  it('cover method, authority, path, query, content type and body', async () => {
    const headers = await signRequest(request, signer, moment);
    const changes: Partial<SignableRequest>[] = [
      { method: 'PUT' },
      { authority: 'keys.example.org' },
      { path: '/v1/sessions/01/steps/1' },
      { query: '?step=2' },
      { contentType: 'application/json' },
      { body: new Uint8Array([1, 2, 4]) },
      { body: new Uint8Array(0) },
    ];
    for (const change of changes)
      expect(await refusal(() => verifyRequest({ ...request, ...change }, headers, verify))).toBe(
        'transport/bad-signature',
      );
  });

  it('are unsigned when one of the three headers is missing', async () => {
    const headers = await signRequest(request, signer, moment);
    for (const name of ['content-digest', 'signature-input', 'signature'] as const)
      expect(await refusal(() => verifyRequest(request, { ...headers, [name]: undefined }, verify))).toBe(
        'transport/unsigned',
      );
  });

  it('property: any flipped byte of any header is refused', async () => {
    const headers = await signRequest(request, signer, moment);
    const names = ['content-digest', 'signature-input', 'signature'] as const;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.nat(),
        fc.integer({ min: 32, max: 126 }),
        async (name, at, byte) => {
          const text = headers[name];
          const index = at % text.length;
          const character = String.fromCharCode(byte);
          fc.pre(text[index] !== character);
          const changed = { ...headers, [name]: text.slice(0, index) + character + text.slice(index + 1) };
          expect(await refusal(() => verifyRequest(request, changed, verify))).toMatch(
            /^transport\/(bad-signature|unsigned)$/,
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  it('property: arbitrary header text never verifies and never throws anything else', async () => {
    const text = fc.option(fc.string({ unit: 'binary', maxLength: 300 }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(text, text, text, async (digest, input, signature) => {
        const headers: ReceivedHeaders = { 'content-digest': digest, 'signature-input': input, signature };
        expect(await refusal(() => verifyRequest(request, headers, verify))).toMatch(
          /^transport\/(bad-signature|unsigned)$/,
        );
      }),
      { numRuns: 150 },
    );
  });

  it('property: round trip for all methods, paths and bodies', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET', 'POST', 'DELETE'),
        fc.webPath(),
        fc.uint8Array({ maxLength: 200 }),
        fc.integer({ min: 0, max: 2 ** 40 }),
        async (method, path, body, created) => {
          const any = { ...request, method, path, body };
          const headers = await signRequest(any, signer, { ...moment, created });
          expect(await verifyRequest(any, headers, verify)).toMatchObject({ created });
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('smuggling', () => {
  const parts = async () => {
    const headers = await signRequest(request, signer, moment);
    const other = await signRequest({ ...request, path: '/v1/keys' }, signer, moment);
    return { headers, other };
  };
  const check = async (change: (headers: SignatureHeaders, other: SignatureHeaders) => ReceivedHeaders) => {
    const { headers, other } = await parts();
    return refusal(() => verifyRequest(request, change(headers, other), verify));
  };
  // What Node makes of a header that comes twice: both, joined with a comma.
  const twice = (a: string, b: string) => `${a}, ${b}`;

  it.each<[string, (headers: SignatureHeaders, other: SignatureHeaders) => ReceivedHeaders]>([
    ['two Signature headers', (h, o) => ({ ...h, signature: twice(h.signature, o.signature) })],
    ['the same Signature twice', (h) => ({ ...h, signature: twice(h.signature, h.signature) })],
    ['a wrong one before the right one', (h, o) => ({ ...h, signature: twice(o.signature, h.signature) })],
    [
      'two inputs',
      (h, o) => ({ ...h, 'signature-input': twice(o['signature-input'], h['signature-input']) }),
    ],
    [
      'the same input twice',
      (h) => ({ ...h, 'signature-input': twice(h['signature-input'], h['signature-input']) }),
    ],
    [
      'everything twice',
      (h) => ({
        'content-digest': twice(h['content-digest'], h['content-digest']),
        'signature-input': twice(h['signature-input'], h['signature-input']),
        signature: twice(h.signature, h.signature),
      }),
    ],
    ['another label beside ours', (h) => ({ ...h, signature: `${h.signature}, sig1=:AAAA:` })],
    [
      'another label only',
      (h) => ({
        ...h,
        'signature-input': h['signature-input'].replace(/^keepset=/, 'sig1='),
        signature: h.signature.replace(/^keepset=/, 'sig1='),
      }),
    ],
    [
      'fewer components',
      (h) => ({ ...h, 'signature-input': h['signature-input'].replace(' "content-digest"', '') }),
    ],
    [
      'components in another order',
      (h) => ({
        ...h,
        'signature-input': h['signature-input'].replace('"@method" "@authority"', '"@authority" "@method"'),
      }),
    ],
    [
      'another algorithm',
      (h) => ({ ...h, 'signature-input': h['signature-input'].replace('ecdsa-p256-sha256', 'hmac-sha256') }),
    ],
    [
      'another tag',
      (h) => ({ ...h, 'signature-input': h['signature-input'].replace('tag="keepset"', 'tag="other"') }),
    ],
    ['a parameter more', (h) => ({ ...h, 'signature-input': `${h['signature-input']};expires=1` })],
    ['an input that is no list', (h) => ({ ...h, 'signature-input': 'keepset=1' })],
    ['no nonce', (h) => ({ ...h, 'signature-input': h['signature-input'].replace(/;nonce="[^"]*"/, '') })],
    [
      'a short nonce',
      (h) => ({ ...h, 'signature-input': h['signature-input'].replace(moment.nonce, 'short') }),
    ],
    [
      'a time that is no integer',
      (h) => ({ ...h, 'signature-input': h['signature-input'].replace('1800000000', '1.5') }),
    ],
    [
      'a signature of 63 bytes',
      (h) => ({ ...h, signature: `keepset=:${Buffer.alloc(63).toString('base64')}:` }),
    ],
    [
      'a signature of zeros',
      (h) => ({ ...h, signature: `keepset=:${Buffer.alloc(64).toString('base64')}:` }),
    ],
    ['a signature that is text', (h) => ({ ...h, signature: 'keepset="abc"' })],
    ['another digest algorithm', (h) => ({ ...h, 'content-digest': 'sha-512=:AAAA:' })],
    ['two digests', (h) => ({ ...h, 'content-digest': twice(h['content-digest'], 'sha-512=:AAAA:') })],
    [
      'headers of great length',
      (h) => ({ ...h, 'signature-input': h['signature-input'] + ' '.repeat(3000) }),
    ],
  ])('%s is refused', async (_, change) => {
    expect(await check(change)).toBe('transport/bad-signature');
  });

  it('a signature of one request does not serve for another', async () => {
    const { other } = await parts();
    expect(await refusal(() => verifyRequest(request, other, verify))).toBe('transport/bad-signature');
  });
});

describe('responses', () => {
  const asked = new Uint8Array(64).fill(7);

  it('verify for the request they answer and for no other', async () => {
    const headers = await signResponse(response, asked, signer, moment);
    expect(await verifyResponse(response, headers, asked, verify)).toEqual({
      ...moment,
      keyId: signer.keyId,
    });
    const changes: [SignableResponse, Uint8Array, typeof verify][] = [
      [{ ...response, status: 201 }, asked, verify],
      [{ ...response, contentType: 'text/plain' }, asked, verify],
      [{ ...response, body: new Uint8Array([5]) }, asked, verify],
      [response, new Uint8Array(64).fill(8), verify],
      [response, asked, stranger],
    ];
    for (const [changed, other, by] of changes)
      expect(await refusal(() => verifyResponse(changed, headers, other, by))).toBe(
        'transport/bad-signature',
      );
  });

  it('are not requests, nor requests responses', async () => {
    const headers = await signResponse(response, asked, signer, moment);
    expect(await refusal(() => verifyRequest({ ...request, body: response.body }, headers, verify))).toBe(
      'transport/bad-signature',
    );
    const sent = await signRequest({ ...request, body: response.body }, signer, moment);
    expect(await refusal(() => verifyResponse(response, sent, asked, verify))).toBe(
      'transport/bad-signature',
    );
  });
});

describe('keys', () => {
  it.each([
    ['nothing', new Uint8Array(0)],
    ['zeros', new Uint8Array(33)],
    ['a coordinate out of range', new Uint8Array(33).fill(0xff).fill(2, 0, 1)],
    ['an x without a point', new Uint8Array(33).fill(0).fill(2, 0, 1).fill(7, 32)],
    ['an uncompressed point', p256.Point.fromBytes(publicKey).toBytes(false)],
  ])('%s is no key', async (_, bytes) => {
    expect(await refusal(() => verifierFor(bytes))).toBe('input/malformed');
  });

  it('high s is accepted: a Secure Enclave does not normalise', async () => {
    const data = new Uint8Array([1]);
    const low = p256.Signature.fromBytes(await signer.sign(data), 'compact');
    const high = new p256.Signature(low.r, p256.Point.Fn.ORDER - low.s).toBytes('compact');
    expect(await verify(data, high)).toBe(true);
    expect(nodeVerify(data, high)).toBe(true);
  });
});

/** @spec RFC 9421, as the npm package `http-message-signatures` implements it */
describe('another implementation', () => {
  const url = `https://${request.authority}${request.path}`;
  const fields = ['@method', '@authority', '@path', '@query', 'content-type', 'content-digest'];
  const params = ['created', 'nonce', 'keyid', 'alg', 'tag'];
  const lookup = (params_: { keyid?: string }) =>
    Promise.resolve(
      params_.keyid === signer.keyId
        ? {
            id: signer.keyId,
            verify: (data: Buffer, signature: Buffer) => Promise.resolve(nodeVerify(data, signature)),
          }
        : null,
    );
  const theirKey = {
    id: signer.keyId,
    alg: 'ecdsa-p256-sha256',
    sign: async (data: Buffer) => Buffer.from(await signer.sign(data)),
  };
  const paramValues = {
    created: new Date(moment.created * 1000),
    nonce: moment.nonce,
    tag: 'keepset',
  };
  const verifyAt = { notAfter: new Date((moment.created + 1) * 1000) };

  it('accepts our requests, and refuses them when changed', async () => {
    const headers = await signRequest(request, signer, moment);
    const message = { method: 'POST', url, headers: { 'content-type': request.contentType, ...headers } };
    const config = { keyLookup: lookup, requiredFields: fields, requiredParams: params, ...verifyAt };
    expect(await httpbis.verifyMessage(config, message)).toBe(true);
    await expect(httpbis.verifyMessage(config, { ...message, method: 'PUT' })).resolves.not.toBe(true);
  });

  it('accepts our responses, bound to their requests', async () => {
    const sent = await signRequest(request, signer, moment);
    const headers = await signResponse(response, signatureBytes(sent), signer, moment);
    const asked = { method: 'POST', url, headers: { 'content-type': request.contentType, ...sent } };
    const answer = { status: 200, headers: { 'content-type': response.contentType, ...headers } };
    expect(await httpbis.verifyMessage({ keyLookup: lookup, ...verifyAt }, answer, asked)).toBe(true);
    const resent = await signRequest(request, signer, { ...moment, nonce: 'another-nonce-for-another-time' });
    const other = { ...asked, headers: { ...asked.headers, ...resent } };
    await expect(httpbis.verifyMessage({ keyLookup: lookup, ...verifyAt }, answer, other)).resolves.not.toBe(
      true,
    );
  });

  it('makes requests in our profile that we accept', async () => {
    const { 'content-digest': digest } = await signRequest(request, signer, moment);
    const signed = await httpbis.signMessage(
      { key: theirKey, name: 'keepset', fields, params, paramValues },
      { method: 'POST', url, headers: { 'content-type': request.contentType, 'content-digest': digest } },
    );
    const headers: ReceivedHeaders = {
      'content-digest': digest,
      'signature-input': headerOf(signed, 'Signature-Input'),
      signature: headerOf(signed, 'Signature'),
    };
    expect(await verifyRequest(request, headers, verify)).toMatchObject({ ...moment, keyId: signer.keyId });
    expect(readSignature(headers).signature).toHaveLength(64);
  });

  it('makes responses in our profile that we accept', async () => {
    const sent = await signRequest(request, signer, moment);
    const asked = signatureBytes(sent);
    const { 'content-digest': digest } = await signResponse(response, asked, signer, moment);
    const signed = await httpbis.signMessage(
      {
        key: theirKey,
        name: 'keepset',
        fields: ['@status', 'content-type', 'content-digest', '"signature";req;key="keepset"'],
        params,
        paramValues,
      },
      { status: 200, headers: { 'content-type': response.contentType, 'content-digest': digest } },
      { method: 'POST', url, headers: { ...sent } },
    );
    const headers: ReceivedHeaders = {
      'content-digest': digest,
      'signature-input': headerOf(signed, 'Signature-Input'),
      signature: headerOf(signed, 'Signature'),
    };
    expect(await verifyResponse(response, headers, asked, verify)).toMatchObject(moment);
  });
});
