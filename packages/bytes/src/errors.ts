/**
 * The one error class of the house, and the one table that says what each code means to a caller:
 * its HTTP status and whether trying again can help. Codes are never renamed.
 */

/** Exit code of the command line per error family. 0 is success and 1 is left to the shell. */
export const exitCodes: {
  readonly input: 2;
  readonly policy: 3;
  readonly wire: 4;
  readonly transport: 5;
  readonly place: 6;
  readonly store: 7;
  readonly abort: 8;
  readonly bug: 70;
} = {
  input: 2,
  policy: 3,
  wire: 4,
  transport: 5,
  place: 6,
  store: 7,
  abort: 8,
  bug: 70,
};

/** An error family: the part of a code before the slash. */
export type ErrorFamily = keyof typeof exitCodes;

/**
 * What a caller may do about an error.
 * - `never`: the same call fails again.
 * - `same`: the same call may be repeated as it is; nothing has happened yet or the repeat is idempotent.
 * - `fresh`: start the ceremony again with fresh randomness; this session is over.
 */
export type Retry = 'never' | 'same' | 'fresh';

interface CodeFacts {
  readonly status: number;
  readonly retry: Retry;
}

/** Every error code of Keepset. Codes are added, never renamed. */
export type ErrorCode =
  | 'input/invalid-argument'
  | 'input/unsupported'
  | 'input/malformed'
  | 'input/unknown-key'
  | 'input/wrong-passphrase'
  | 'input/not-enrolled'
  | 'policy/syntax'
  | 'policy/unsupported'
  | 'policy/unsatisfied'
  | 'policy/forbidden'
  | 'policy/frozen'
  | 'policy/revoked'
  | 'wire/malformed'
  | 'wire/not-canonical'
  | 'wire/unsupported-version'
  | 'wire/too-large'
  | 'transport/unsigned'
  | 'transport/bad-signature'
  | 'transport/expired'
  | 'transport/replayed'
  | 'transport/enrolment-refused'
  | 'transport/not-found'
  | 'transport/unreachable'
  | 'transport/untrusted-peer'
  | 'transport/bad-response'
  | 'transport/overloaded'
  | 'place/not-found'
  | 'place/exists'
  | 'place/damaged'
  | 'place/locked'
  | 'place/full'
  | 'place/read-only'
  | 'place/unreachable'
  | 'place/stale'
  | 'place/foreign'
  | 'store/conflict'
  | 'store/session-burned'
  | 'store/session-void'
  | 'store/unavailable'
  | 'store/damaged'
  | 'store/rollback'
  | 'abort/state-consumed'
  | 'abort/wrong-session'
  | 'abort/wrong-round'
  | 'abort/wrong-epoch'
  | 'abort/unknown-party'
  | 'abort/duplicate-message'
  | 'abort/malformed-message'
  | 'abort/bad-proof'
  | 'abort/bad-share'
  | 'abort/bad-commitment'
  | 'abort/transcript-mismatch'
  | 'abort/bad-signature'
  | 'abort/banned'
  | 'bug/invariant';

const codes: Readonly<Record<ErrorCode, CodeFacts>> = {
  'input/invalid-argument': { status: 400, retry: 'never' },
  'input/unsupported': { status: 400, retry: 'never' },
  'input/malformed': { status: 400, retry: 'never' },
  'input/unknown-key': { status: 404, retry: 'never' },
  'input/wrong-passphrase': { status: 400, retry: 'never' },
  'input/not-enrolled': { status: 400, retry: 'never' },
  'policy/syntax': { status: 400, retry: 'never' },
  'policy/unsupported': { status: 422, retry: 'never' },
  'policy/unsatisfied': { status: 422, retry: 'never' },
  'policy/forbidden': { status: 403, retry: 'never' },
  'policy/frozen': { status: 403, retry: 'never' },
  'policy/revoked': { status: 403, retry: 'never' },
  'wire/malformed': { status: 400, retry: 'never' },
  'wire/not-canonical': { status: 400, retry: 'never' },
  'wire/unsupported-version': { status: 400, retry: 'never' },
  'wire/too-large': { status: 413, retry: 'never' },
  'transport/unsigned': { status: 401, retry: 'never' },
  'transport/bad-signature': { status: 401, retry: 'never' },
  'transport/expired': { status: 401, retry: 'same' },
  'transport/replayed': { status: 401, retry: 'never' },
  'transport/enrolment-refused': { status: 403, retry: 'never' },
  'transport/not-found': { status: 404, retry: 'never' },
  'transport/unreachable': { status: 503, retry: 'same' },
  'transport/untrusted-peer': { status: 502, retry: 'never' },
  'transport/bad-response': { status: 502, retry: 'never' },
  'transport/overloaded': { status: 429, retry: 'same' },
  'place/not-found': { status: 404, retry: 'never' },
  'place/exists': { status: 409, retry: 'never' },
  'place/damaged': { status: 500, retry: 'never' },
  'place/locked': { status: 403, retry: 'never' },
  'place/full': { status: 507, retry: 'same' },
  'place/read-only': { status: 403, retry: 'never' },
  'place/unreachable': { status: 503, retry: 'same' },
  'place/stale': { status: 409, retry: 'never' },
  'place/foreign': { status: 409, retry: 'never' },
  'store/conflict': { status: 409, retry: 'never' },
  'store/session-burned': { status: 409, retry: 'fresh' },
  'store/session-void': { status: 410, retry: 'fresh' },
  'store/unavailable': { status: 503, retry: 'same' },
  'store/damaged': { status: 500, retry: 'never' },
  'store/rollback': { status: 500, retry: 'never' },
  'abort/state-consumed': { status: 409, retry: 'fresh' },
  'abort/wrong-session': { status: 409, retry: 'fresh' },
  'abort/wrong-round': { status: 409, retry: 'fresh' },
  'abort/wrong-epoch': { status: 409, retry: 'never' },
  'abort/unknown-party': { status: 409, retry: 'never' },
  'abort/duplicate-message': { status: 409, retry: 'fresh' },
  'abort/malformed-message': { status: 409, retry: 'fresh' },
  'abort/bad-proof': { status: 409, retry: 'fresh' },
  'abort/bad-share': { status: 409, retry: 'fresh' },
  'abort/bad-commitment': { status: 409, retry: 'fresh' },
  'abort/transcript-mismatch': { status: 409, retry: 'fresh' },
  'abort/bad-signature': { status: 409, retry: 'fresh' },
  'abort/banned': { status: 403, retry: 'never' },
  'bug/invariant': { status: 500, retry: 'never' },
};

/** All codes, for exhaustive tests and documentation. */
export const errorCodes: readonly ErrorCode[] = Object.keys(codes) as ErrorCode[];

/** True if `value` is a code this version knows. */
export const isErrorCode = (value: unknown): value is ErrorCode =>
  typeof value === 'string' && Object.hasOwn(codes, value);

/** What may accompany an error. */
export interface ErrorDetails {
  /** Session the error belongs to, in hex. */
  readonly session?: string;
  /** Protocol round, from 1. */
  readonly round?: number;
  /** Parties proven to be at fault. Empty when no one can be named. */
  readonly culprits?: readonly string[];
  /** Overrides the code's own retry advice. */
  readonly retry?: Retry;
  /** What the user can do next, one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * The only error Keepset throws on purpose. Callers narrow by `code`, never by message text.
 * Messages and details never carry secret bytes.
 */
export class KeepsetError extends Error {
  override readonly name = 'KeepsetError';
  readonly code: ErrorCode;
  readonly session: string | undefined;
  readonly round: number | undefined;
  readonly culprits: readonly string[];
  readonly retry: Retry;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.session = details.session;
    this.round = details.round;
    this.culprits = details.culprits ?? [];
    this.retry = details.retry ?? codes[code].retry;
    this.hint = details.hint;
  }

  /** The part of the code before the slash. */
  get family(): ErrorFamily {
    return this.code.slice(0, this.code.indexOf('/')) as ErrorFamily;
  }

  /** HTTP status that carries this error. */
  get status(): number {
    return codes[this.code].status;
  }

  /** Exit code of the command line for this error. */
  get exitCode(): number {
    return exitCodes[this.family];
  }
}

/** Returns `error` if it is a KeepsetError, else wraps it as `bug/invariant`, which is what an unforeseen throw is. */
export const toKeepsetError = (error: unknown): KeepsetError =>
  error instanceof KeepsetError
    ? error
    : new KeepsetError('bug/invariant', 'Unexpected failure inside Keepset.', { cause: error });

/** Throws `bug/invariant` when something the code itself guarantees does not hold. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new KeepsetError('bug/invariant', message);
}
