/** One message of each type and each form it can take, from fixed inputs. The frozen fixtures were made from these. */
import { KeepsetError } from '@keepset/bytes';
import {
  decodeEnrolRequest,
  decodeEnrolResponse,
  decodeError,
  decodeFrozenKey,
  decodeInvitation,
  decodeKeyList,
  decodeKitNote,
  decodeKnownKit,
  decodeLoggedExport,
  decodeResolveRequest,
  decodeSessionOutcome,
  decodeStepRequest,
  decodeStepResponse,
  encodeEnrolRequest,
  encodeEnrolResponse,
  encodeError,
  encodeFrozenKey,
  encodeInvitation,
  encodeKeyList,
  encodeKitNote,
  encodeKnownKit,
  encodeLoggedExport,
  encodeResolveRequest,
  encodeSessionOutcome,
  encodeStepRequest,
  encodeStepResponse,
  type KeySummary,
  type LogEvidence,
  type SessionStart,
  type StepRequest,
} from '../../src/index.ts';

/** A message, how it is written and how it is read. */
export interface Sample {
  /** Also the fixture's file name. */
  readonly name: string;
  /** What reading gives. */
  readonly value: unknown;
  readonly encode: () => Uint8Array;
  readonly decode: (bytes: Uint8Array) => unknown;
  /** Writes what `decode` gave; absent for errors, of which reading keeps only what it understands. */
  readonly again?: (value: never) => Uint8Array;
}

const sample = <T>(
  name: string,
  value: T,
  write: (value: T) => Uint8Array,
  decode: (bytes: Uint8Array) => T,
): Sample => ({
  name,
  value,
  encode: () => write(value),
  decode,
  again: (read: T) => write(read),
});

/** `length` bytes that count up from `from`. */
export const counting = (length: number, from: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (from + i) % 256);

const session = counting(32, 0);
const keyId = 'abcdefghijklmnopqrstuvwxyz';
const message = {
  context: counting(32, 100),
  round: 1,
  from: 'phone',
  to: 'server',
  body: counting(40, 200),
};
const back = { ...message, round: 2, from: 'server', to: 'phone', body: counting(1, 7) };
const head = { size: 70_000, root: counting(32, 50) };
const newestCopy = { epoch: 2, generation: 7, sha256: counting(32, 9) };
const evidence: LogEvidence = {
  record: counting(90, 1),
  salt: counting(32, 2),
  index: 69_999,
  checkpoint:
    'keepset.test/log\n70000\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n— keepset.test/log AAAAAA==\n',
  inclusion: [counting(32, 3), counting(32, 4)],
  consistency: [],
};
const keys: readonly KeySummary[] = [
  {
    keyId,
    scheme: 'ed25519',
    epoch: 0,
    policy: 'and(phone,server)',
    publicKey: counting(32, 9),
    state: 'active',
    createdAt: 1_795_334_400,
  },
  {
    keyId,
    scheme: 'ecdsa-p256',
    epoch: 3,
    policy: 'thresh(2,phone,server,usb)',
    publicKey: counting(33, 2),
    state: 'frozen',
    createdAt: 0,
  },
];

const first = (start: SessionStart): StepRequest => ({ session, step: 1, start, messages: [message] });
const request = { message: counting(32, 60), digest: 'none' } as const;
const sign = { kind: 'sign', keyId, epoch: 0, quorum: ['phone', 'server'] } as const;

const step = (name: string, value: StepRequest): Sample =>
  sample(name, value, encodeStepRequest, decodeStepRequest);

/** A KeepsetError is compared by what travels of it. */
const errorFields = ({
  code,
  message,
  retry,
  culprits,
  hint,
  session,
  round,
  cause,
}: KeepsetError): object => ({
  code,
  message,
  retry,
  culprits,
  hint,
  session,
  round,
  cause,
});
const failure = (name: string, error: KeepsetError): Sample => ({
  name,
  value: errorFields(error),
  encode: () => encodeError(error),
  decode: (bytes) => errorFields(decodeError(bytes)),
});

export const samples: readonly Sample[] = [
  sample(
    'enrol',
    { code: 'a code', publicKey: counting(33, 2), party: 'phone' },
    encodeEnrolRequest,
    decodeEnrolRequest,
  ),
  sample(
    'enrolled',
    {
      tenant: 'tenant',
      device: 'device',
      serverParty: 'server',
      serverKey: counting(33, 3),
      logKey: 'keepset.test/log+00000000+AQ==',
    },
    encodeEnrolResponse,
    decodeEnrolResponse,
  ),
  sample('invitation', { code: 'a code' }, encodeInvitation, decodeInvitation),
  sample('keys', [...keys], encodeKeyList, decodeKeyList),
  sample('keys-none', [], encodeKeyList, decodeKeyList),
  step('step-keygen', first({ kind: 'keygen', scheme: 'ed25519', policy: 'and(phone,server)' })),
  step('step-sign', first({ ...sign, request })),
  step(
    'step-sign-taproot',
    first({ ...sign, request: { ...request, taproot: { merkleRoot: new Uint8Array(0) } } }),
  ),
  step(
    'step-sign-script',
    first({ ...sign, request: { ...request, taproot: { merkleRoot: counting(32, 70) } } }),
  ),
  step(
    'step-sign-path',
    first({ ...sign, request: { ...request, digest: 'sha256d', path: [0, 2_147_483_647] } }),
  ),
  step(
    'step-sign-presigned',
    first({ ...sign, request: { ...request, digest: 'keccak256' }, presignature: counting(32, 80) }),
  ),
  step('step-open', first({ ...sign, kind: 'open', opener: 'phone', ephemeral: counting(65, 30) })),
  step('step-presign', first({ kind: 'presign', keyId, epoch: 1, quorum: ['phone', 'server'], path: [] })),
  step('step-refresh', first({ kind: 'refresh', keyId, epoch: 2 })),
  step('step-refresh-approved', first({ kind: 'refresh', keyId, epoch: 2, approval: 'a code' })),
  step(
    'step-reshare',
    first({
      kind: 'reshare',
      keyId,
      epoch: 2,
      dealers: ['phone', 'server'],
      policy: 'thresh(2,phone,server,usb)',
    }),
  ),
  step(
    'step-repair',
    first({ kind: 'repair', keyId, epoch: 2, helpers: ['server', 'usb'], target: 'phone' }),
  ),
  step(
    'step-reshare-approved',
    first({
      kind: 'reshare',
      keyId,
      epoch: 2,
      dealers: ['phone', 'server'],
      policy: 'and(phone,usb)',
      approval: 'a code',
    }),
  ),
  step(
    'step-reshare-adopted',
    first({
      kind: 'reshare',
      keyId,
      epoch: 2,
      dealers: ['phone', 'usb'],
      policy: 'and(phone,server)',
      approval: 'a code',
      key: {
        scheme: 'ed25519',
        keyId,
        epoch: 2,
        policy: 'and(phone,usb)',
        parties: ['phone', 'usb'],
        threshold: 2,
        publicKey: counting(32, 9),
        commitments: [counting(32, 9), counting(32, 10)],
        verifyingShares: [counting(32, 11), counting(32, 12)],
        chainCode: counting(32, 13),
      },
    }),
  ),
  step(
    'step-repair-approved',
    first({
      kind: 'repair',
      keyId,
      epoch: 2,
      helpers: ['server', 'usb'],
      target: 'phone',
      approval: 'a code',
    }),
  ),
  step('step-later', { session, step: 2, messages: [message, { ...message, round: 3 }], head }),
  step('step-relay', {
    session,
    step: 3,
    party: 'usb',
    messages: [],
    relay: [{ party: 'phone', sealed: counting(50, 90) }],
  }),
  sample(
    'step-result-open',
    { session, step: 1, state: 'open', messages: [back] },
    encodeStepResponse,
    decodeStepResponse,
  ),
  sample(
    'step-result-committed',
    {
      session,
      step: 2,
      state: 'committed',
      messages: [back],
      relay: [{ party: 'usb', sealed: counting(50, 91) }],
      evidence,
    },
    encodeStepResponse,
    decodeStepResponse,
  ),
  sample(
    'session-outcome-committed',
    { session, state: 'committed', keyId },
    encodeSessionOutcome,
    decodeSessionOutcome,
  ),
  sample(
    'session-outcome-proven',
    { session, state: 'committed', keyId, evidence: { ...evidence, consistency: [counting(32, 5)] } },
    encodeSessionOutcome,
    decodeSessionOutcome,
  ),
  sample('session-outcome-void', { session, state: 'void' }, encodeSessionOutcome, decodeSessionOutcome),
  sample('resolve', { head }, encodeResolveRequest, decodeResolveRequest),
  sample('resolve-headless', {}, encodeResolveRequest, decodeResolveRequest),
  sample('frozen', { keyId, epoch: 2, evidence }, encodeFrozenKey, decodeFrozenKey),
  sample('exported', { keyId, epoch: 2, evidence }, encodeLoggedExport, decodeLoggedExport),
  sample('kit-note', { kit: keyId, ...newestCopy }, encodeKitNote, decodeKitNote),
  sample('kit', { kit: keyId, newest: newestCopy }, encodeKnownKit, decodeKnownKit),
  sample('kit-unknown', { kit: keyId }, encodeKnownKit, decodeKnownKit),
  failure('error', new KeepsetError('store/unavailable', 'The store is away.')),
  failure(
    'error-abort',
    new KeepsetError('abort/bad-share', 'A share is wrong.', {
      session: 'ab'.repeat(32),
      round: 2,
      culprits: ['usb'],
      retry: 'never',
      hint: 'Ask usb.',
    }),
  ),
];
