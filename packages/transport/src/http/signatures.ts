/**
 * HTTP message signatures in the one profile Keepset uses.
 *
 * A request signature covers method, authority, path, query, content type and content digest; a response
 * signature covers the status, its own content and the signature of the request it answers. All parameters
 * (created, nonce, keyid, alg, tag) are required. Anything else is refused, so there is nothing to downgrade.
 *
 * @spec RFC 9421 (HTTP message signatures), RFC 9530 (content digest)
 */
import {
  parseDictionary,
  serializeInnerList,
  type BareItem,
  type InnerList,
  type Item,
} from 'structured-headers';
import { KeepsetError, bytesEqual, fromBase64, toBase64, utf8ToBytes } from '@keepset/bytes';
import { sha256 } from '@noble/hashes/sha2.js';

/** Signs with a device's or the server's P-256 key; in an iPhone this is the Secure Enclave. */
export interface MessageSigner {
  readonly keyId: string;
  /** ECDSA over SHA-256 of `data`; returns r ‖ s, 64 bytes. */
  sign(data: Uint8Array): Promise<Uint8Array>;
}

/** Checks an ECDSA P-256 signature (r ‖ s) over SHA-256 of `data`; false for anything malformed. */
export type MessageVerifier = (data: Uint8Array, signature: Uint8Array) => Promise<boolean>;

/** The signed parts of a request. */
export interface SignableRequest {
  readonly method: string;
  /** Host and, unless it is the scheme's default, port; lower case. */
  readonly authority: string;
  readonly path: string;
  /** With its leading question mark; `?` when there is none. */
  readonly query: string;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** The signed parts of a response. */
export interface SignableResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** Headers a signature adds. */
export interface SignatureHeaders {
  readonly 'content-digest': string;
  readonly 'signature-input': string;
  readonly signature: string;
}

/** What a verifier learns from the headers before it knows the key. */
export interface SignatureClaim {
  readonly keyId: string;
  /** Unix seconds. */
  readonly created: number;
  readonly nonce: string;
}

const label = 'keepset';
const algorithm = 'ecdsa-p256-sha256';
const requestComponents = [
  '@method',
  '@authority',
  '@path',
  '@query',
  'content-type',
  'content-digest',
] as const;
const responseComponents = ['@status', 'content-type', 'content-digest'] as const;

const digestOf = (body: Uint8Array): string => `sha-256=:${toBase64(sha256(body))}:`;

const item = (value: string, parameters: [string, BareItem][] = []): Item => [value, new Map(parameters)];

const parametersOf = (claim: SignatureClaim): Map<string, BareItem> =>
  new Map<string, BareItem>([
    ['created', claim.created],
    ['nonce', claim.nonce],
    ['keyid', claim.keyId],
    ['alg', algorithm],
    ['tag', label],
  ]);

const requestList = (claim: SignatureClaim): InnerList => [
  requestComponents.map((name) => item(name)),
  parametersOf(claim),
];

/** The last component ties the response to the very request it answers. */
const responseList = (claim: SignatureClaim): InnerList => [
  [
    ...responseComponents.map((name) => item(name)),
    item('signature', [
      ['req', true],
      ['key', label],
    ]),
  ],
  parametersOf(claim),
];

/** @spec RFC 9421 §2.5 */
const signatureBase = (lines: readonly (readonly [string, string])[], list: InnerList): Uint8Array =>
  utf8ToBytes(
    [...lines, ['"@signature-params"', serializeInnerList(list)]]
      .map(([name, value]) => `${name}: ${value}`)
      .join('\n'),
  );

const requestBase = (request: SignableRequest, digest: string, claim: SignatureClaim): Uint8Array =>
  signatureBase(
    [
      ['"@method"', request.method],
      ['"@authority"', request.authority],
      ['"@path"', request.path],
      ['"@query"', request.query],
      ['"content-type"', request.contentType],
      ['"content-digest"', digest],
    ],
    requestList(claim),
  );

const responseBase = (
  response: SignableResponse,
  digest: string,
  requestSignature: Uint8Array,
  claim: SignatureClaim,
): Uint8Array =>
  signatureBase(
    [
      ['"@status"', String(response.status)],
      ['"content-type"', response.contentType],
      ['"content-digest"', digest],
      [`"signature";req;key="${label}"`, `:${toBase64(requestSignature)}:`],
    ],
    responseList(claim),
  );

const headersOf = (digest: string, list: InnerList, signature: Uint8Array): SignatureHeaders => ({
  'content-digest': digest,
  'signature-input': `${label}=${serializeInnerList(list)}`,
  signature: `${label}=:${toBase64(signature)}:`,
});

/** When and under which one-time name something is signed. */
export interface SigningMoment {
  /** Unix seconds. */
  readonly created: number;
  /** At least 128 random bits, text. */
  readonly nonce: string;
}

/** Signs a request. */
export const signRequest = async (
  request: SignableRequest,
  signer: MessageSigner,
  moment: SigningMoment,
): Promise<SignatureHeaders> => {
  const claim = { ...moment, keyId: signer.keyId };
  const digest = digestOf(request.body);
  const signature = await signer.sign(requestBase(request, digest, claim));
  return headersOf(digest, requestList(claim), signature);
};

/** Signs the answer to the request whose signature is `requestSignature`. */
export const signResponse = async (
  response: SignableResponse,
  requestSignature: Uint8Array,
  signer: MessageSigner,
  moment: SigningMoment,
): Promise<SignatureHeaders> => {
  const claim = { ...moment, keyId: signer.keyId };
  const digest = digestOf(response.body);
  const signature = await signer.sign(responseBase(response, digest, requestSignature, claim));
  return headersOf(digest, responseList(claim), signature);
};

/** Headers as they arrived; a missing one is undefined. */
export type ReceivedHeaders = { readonly [name in keyof SignatureHeaders]: string | undefined };

interface ParsedHeaders {
  readonly claim: SignatureClaim;
  readonly list: string;
  readonly signature: Uint8Array;
}

/**
 * Reads the signature headers without judging them.
 * @throws KeepsetError `transport/unsigned` when one is missing, `transport/bad-signature` when one is malformed.
 */
export const readSignature = (headers: ReceivedHeaders): ParsedHeaders => {
  const input = headers['signature-input'];
  const value = headers.signature;
  if (input === undefined || value === undefined || headers['content-digest'] === undefined)
    throw new KeepsetError('transport/unsigned', 'The message carries no HTTP message signature.');
  if (input.length > 2048 || value.length > 512) throw malformed('Signature headers are too long.');
  try {
    const member = parseDictionary(input).get(label);
    const bytes = parseDictionary(value).get(label)?.[0];
    if (member === undefined || !Array.isArray(member[0])) throw malformed(`No signature labelled ${label}.`);
    if (!(bytes instanceof ArrayBuffer) || bytes.byteLength !== 64)
      throw malformed('The signature is not 64 bytes.');
    const parameters = member[1];
    const created = parameters.get('created');
    const nonce = parameters.get('nonce');
    const keyId = parameters.get('keyid');
    if (typeof created !== 'number' || !Number.isSafeInteger(created))
      throw malformed('The signature names no time.');
    if (typeof nonce !== 'string' || nonce.length < 16 || nonce.length > 128)
      throw malformed('The signature has no nonce.');
    if (typeof keyId !== 'string' || keyId.length > 128) throw malformed('The signature names no key.');
    const list = serializeInnerList(member as InnerList);
    // A label given twice, or beside others, could be read otherwise by whoever stands in between.
    if (input !== `${label}=${list}` || value !== `${label}=:${toBase64(new Uint8Array(bytes))}:`)
      throw malformed(`The signature headers hold more than one signature labelled ${label}.`);
    return { claim: { created, nonce, keyId }, list, signature: new Uint8Array(bytes) };
  } catch (cause) {
    if (cause instanceof KeepsetError) throw cause;
    throw new KeepsetError('transport/bad-signature', 'Signature headers are malformed.', { cause });
  }
};

const malformed = (message: string): KeepsetError => new KeepsetError('transport/bad-signature', message);

/**
 * Verifies a request's signature and content digest. Freshness of time and nonce is the caller's to judge.
 * @throws KeepsetError `transport/unsigned` or `transport/bad-signature`
 */
export const verifyRequest = async (
  request: SignableRequest,
  headers: ReceivedHeaders,
  verify: MessageVerifier,
): Promise<SignatureClaim> => {
  const { claim, list, signature } = readSignature(headers);
  const digest = checkedDigest(request.body, headers);
  if (list !== serializeInnerList(requestList(claim)))
    throw malformed('The signature covers other components than it must.');
  if (!(await verify(requestBase(request, digest, claim), signature)))
    throw malformed('The signature does not verify.');
  return claim;
};

/**
 * Verifies that `response` is the answer to the request whose signature is `requestSignature`.
 * @throws KeepsetError `transport/unsigned` or `transport/bad-signature`
 */
export const verifyResponse = async (
  response: SignableResponse,
  headers: ReceivedHeaders,
  requestSignature: Uint8Array,
  verify: MessageVerifier,
): Promise<SignatureClaim> => {
  const { claim, list, signature } = readSignature(headers);
  const digest = checkedDigest(response.body, headers);
  if (list !== serializeInnerList(responseList(claim)))
    throw malformed('The signature covers other components than it must.');
  if (!(await verify(responseBase(response, digest, requestSignature, claim), signature)))
    throw malformed('The signature does not verify.');
  return claim;
};

const checkedDigest = (body: Uint8Array, headers: ReceivedHeaders): string => {
  const own = digestOf(body);
  const claimed = headers['content-digest'] ?? '';
  if (!bytesEqual(utf8ToBytes(own), utf8ToBytes(claimed)))
    throw malformed('The content digest does not fit the body.');
  return own;
};

/** The raw signature inside a `signature` header this profile wrote. */
export const signatureBytes = (headers: SignatureHeaders): Uint8Array =>
  fromBase64(headers.signature.slice(label.length + 2, -1));
