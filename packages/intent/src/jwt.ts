import { KeepsetError, toBase64Url, utf8ToBytes } from '@keepset/bytes';
import type { DescriptionLine, Format, IntentOptions } from './intent.ts';
import { parseJsonObject, type JsonObject } from './json.ts';
import { maxTokenBytes, requireAtMost } from './limits.ts';
import { checkedSignatures } from './signature.ts';
import { line } from './text.ts';

/**
 * JSON web tokens in compact form: ES256 for P-256 keys, EdDSA for Ed25519 ones.
 * The payload is taken byte for byte as it comes.
 * @spec RFC 7515 §7.1, RFC 7519, RFC 7518 §3.4 (ES256), RFC 8037 §3.1 (EdDSA)
 */
export const jwtFormat: Format = {
  kind: 'jwt',
  title: 'JSON web token (ES256, EdDSA)',
  schemes: ['ed25519', 'ecdsa-p256'],
  create(bytes, key, options) {
    requireAtMost(bytes, maxTokenBytes, 'The token payload');
    const claims = parseJsonObject(bytes, 'The token payload');
    const alg = key.scheme === 'ed25519' ? 'EdDSA' : 'ES256';
    const header = headerOf(alg, options);
    const signingInput = `${toBase64Url(utf8ToBytes(JSON.stringify(header)))}.${toBase64Url(bytes)}`;
    const inputs = [
      { message: utf8ToBytes(signingInput), digest: key.scheme === 'ed25519' ? 'none' : 'sha256' },
    ] as const;
    return {
      kind: 'jwt',
      description: [
        line('Format', 'JSON web token'),
        ...Object.entries(header).map(([name, value]) => line(`Header ${name}`, value)),
        ...describeClaims(claims),
      ],
      warnings: warningsFor(claims),
      inputs,
      finish(signatures) {
        const [signature = new Uint8Array()] = checkedSignatures(key, inputs, signatures);
        const text = `${signingInput}.${toBase64Url(signature.subarray(0, 64))}`;
        return {
          bytes: utf8ToBytes(text),
          text,
          mediaType: 'application/jwt',
          suffix: '.jwt',
          summary: [`JSON web token, ${alg}`],
        };
      },
    };
  },
};

/** Claims whose presence makes a JSON object look like a token payload. @spec RFC 7519 §4.1 */
export const registeredClaims: readonly string[] = ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti'];

const headerOf = (alg: string, { typ = 'JWT', kid }: IntentOptions): Readonly<Record<string, string>> => {
  for (const [name, value] of Object.entries({ typ, kid }))
    if (value !== undefined && !/^[\x20-\x7e]{1,256}$/.test(value))
      throw new KeepsetError('input/invalid-argument', `${name} is 1 to 256 printable ASCII characters.`);
  return { alg, typ, ...(kid === undefined ? {} : { kid }) };
};

const meanings: Readonly<Record<string, string>> = {
  iss: 'issuer',
  sub: 'subject',
  aud: 'audience',
  exp: 'expires',
  nbf: 'not before',
  iat: 'issued at',
  jti: 'token id',
};
const times: ReadonlySet<string> = new Set(['exp', 'nbf', 'iat']);

/** Every claim, one line each, values as JSON so that a string never passes for a number. */
const describeClaims = (claims: JsonObject): readonly DescriptionLine[] =>
  Object.entries(claims).map(([name, value]) => {
    const meaning = Object.hasOwn(meanings, name) ? ` (${meanings[name]})` : '';
    const date = times.has(name) ? dateOf(value) : undefined;
    return line(
      `Claim ${JSON.stringify(name)}${meaning}`,
      `${JSON.stringify(value)}${date === undefined ? '' : ` = ${date}`}`,
    );
  });

/** A NumericDate in UTC, or undefined if the value is none or no date can show it. */
const dateOf = (value: unknown): string | undefined => {
  if (typeof value !== 'number' || Math.abs(value) > 8.64e12) return undefined;
  return new Date(value * 1000).toISOString();
};

const warningsFor = (claims: JsonObject): readonly string[] => {
  const warnings: string[] = [];
  if (!Object.hasOwn(claims, 'exp')) warnings.push('The token never expires: it has no exp claim.');
  if (!Object.hasOwn(claims, 'aud')) warnings.push('The token names no audience: anyone may accept it.');
  for (const name of times)
    if (Object.hasOwn(claims, name) && dateOf(claims[name]) === undefined)
      warnings.push(`The claim ${name} is not a date that verifiers accept.`);
  return warnings;
};
