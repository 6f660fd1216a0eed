import { describe, expect, it } from 'vitest';
import {
  KeepsetError,
  errorCodes,
  exitCodes,
  invariant,
  isErrorCode,
  toKeepsetError,
  type ErrorCode,
} from '../src/index.ts';
import { codeOf } from './support.ts';

/**
 * Every code with the status, the exit code and the advice it was published with. Written out a second time, so
 * that a changed meaning is a failing test; the type makes it exhaustive.
 */
const published: Readonly<Record<ErrorCode, readonly [number, number, 'never' | 'same' | 'fresh']>> = {
  'input/invalid-argument': [400, 2, 'never'],
  'input/unsupported': [400, 2, 'never'],
  'input/malformed': [400, 2, 'never'],
  'input/unknown-key': [404, 2, 'never'],
  'input/wrong-passphrase': [400, 2, 'never'],
  'input/not-enrolled': [400, 2, 'never'],
  'policy/syntax': [400, 3, 'never'],
  'policy/unsupported': [422, 3, 'never'],
  'policy/unsatisfied': [422, 3, 'never'],
  'policy/forbidden': [403, 3, 'never'],
  'policy/frozen': [403, 3, 'never'],
  'policy/revoked': [403, 3, 'never'],
  'wire/malformed': [400, 4, 'never'],
  'wire/not-canonical': [400, 4, 'never'],
  'wire/unsupported-version': [400, 4, 'never'],
  'wire/too-large': [413, 4, 'never'],
  'transport/unsigned': [401, 5, 'never'],
  'transport/bad-signature': [401, 5, 'never'],
  'transport/expired': [401, 5, 'same'],
  'transport/replayed': [401, 5, 'never'],
  'transport/enrolment-refused': [403, 5, 'never'],
  'transport/not-found': [404, 5, 'never'],
  'transport/unreachable': [503, 5, 'same'],
  'transport/untrusted-peer': [502, 5, 'never'],
  'transport/bad-response': [502, 5, 'never'],
  'transport/overloaded': [429, 5, 'same'],
  'place/not-found': [404, 6, 'never'],
  'place/exists': [409, 6, 'never'],
  'place/damaged': [500, 6, 'never'],
  'place/locked': [403, 6, 'never'],
  'place/full': [507, 6, 'same'],
  'place/read-only': [403, 6, 'never'],
  'place/unreachable': [503, 6, 'same'],
  'place/stale': [409, 6, 'never'],
  'place/foreign': [409, 6, 'never'],
  'store/conflict': [409, 7, 'never'],
  'store/session-burned': [409, 7, 'fresh'],
  'store/session-void': [410, 7, 'fresh'],
  'store/unavailable': [503, 7, 'same'],
  'store/damaged': [500, 7, 'never'],
  'store/rollback': [500, 7, 'never'],
  'abort/state-consumed': [409, 8, 'fresh'],
  'abort/wrong-session': [409, 8, 'fresh'],
  'abort/wrong-round': [409, 8, 'fresh'],
  'abort/wrong-epoch': [409, 8, 'never'],
  'abort/unknown-party': [409, 8, 'never'],
  'abort/duplicate-message': [409, 8, 'fresh'],
  'abort/malformed-message': [409, 8, 'fresh'],
  'abort/bad-proof': [409, 8, 'fresh'],
  'abort/bad-share': [409, 8, 'fresh'],
  'abort/bad-commitment': [409, 8, 'fresh'],
  'abort/transcript-mismatch': [409, 8, 'fresh'],
  'abort/bad-signature': [409, 8, 'fresh'],
  'abort/banned': [403, 8, 'never'],
  'bug/invariant': [500, 70, 'never'],
};

describe('the error table', () => {
  it('holds exactly the published codes, each once', () => {
    expect(new Set(errorCodes).size).toBe(errorCodes.length);
    expect(errorCodes.toSorted()).toEqual(Object.keys(published).toSorted());
  });

  it.each(errorCodes)('%s keeps its family, status, exit code and advice', (code) => {
    const error = new KeepsetError(code, 'text');
    const [status, exitCode, retry] = published[code];
    expect([error.status, error.exitCode, error.retry]).toEqual([status, exitCode, retry]);
    expect(code).toMatch(new RegExp(`^${error.family}/[a-z]+(-[a-z]+)*$`));
    expect(exitCodes[error.family]).toBe(exitCode);
    expect(isErrorCode(code)).toBe(true);
  });

  it('has an exit code of its own for each family, none of them 0 or 1', () => {
    const values = Object.values(exitCodes);
    expect(new Set(values).size).toBe(values.length);
    for (const value of values) expect(value).toSatisfy((n: number) => n > 1 && n < 126);
  });

  it.each([
    '',
    'abort',
    'abort/',
    'abort/unknown',
    'constructor',
    '__proto__',
    'toString',
    1,
    null,
    undefined,
    {},
  ])('does not know %j as a code', (value) => {
    expect(isErrorCode(value)).toBe(false);
  });
});

describe('KeepsetError', () => {
  it('carries what it is given', () => {
    const cause = new Error('inner');
    const error = new KeepsetError('abort/bad-share', 'text', {
      session: 'ab',
      round: 2,
      culprits: ['usb'],
      retry: 'never',
      hint: 'do this',
      cause,
    });
    expect(error).toMatchObject({
      name: 'KeepsetError',
      code: 'abort/bad-share',
      message: 'text',
      session: 'ab',
      round: 2,
      culprits: ['usb'],
      retry: 'never',
      hint: 'do this',
      cause,
    });
    expect(error).toBeInstanceOf(Error);
  });

  it('names no one and has no cause unless told', () => {
    const error = new KeepsetError('wire/malformed', 'text');
    expect(error.culprits).toEqual([]);
    expect('cause' in error).toBe(false);
    expect([error.session, error.round, error.hint]).toEqual([undefined, undefined, undefined]);
  });
});

describe('toKeepsetError and invariant', () => {
  it('leaves a KeepsetError as it is and wraps everything else as a bug', () => {
    const own = new KeepsetError('place/full', 'text');
    expect(toKeepsetError(own)).toBe(own);
    for (const thrown of [new TypeError('x'), 'text', 0, null, { code: 'place/full' }]) {
      const error = toKeepsetError(thrown);
      expect(error.code).toBe('bug/invariant');
      expect(error.cause).toBe(thrown);
    }
    expect(toKeepsetError(undefined).code).toBe('bug/invariant');
  });

  it('throws for what is false, only for that', () => {
    for (const falsy of [false, 0, '', null, undefined])
      expect(codeOf(() => invariant(falsy, 'text'))).toBe('bug/invariant');
    expect(codeOf(() => invariant(1, 'text'))).toBe('ok');
  });
});
