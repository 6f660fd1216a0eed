/** Step requests as a device makes them, one by one, so that tests can hold them, repeat them and change them. */
import { randomBytes } from 'node:crypto';
import type { DeviceParty } from '@keepset/ceremony';
import { encodeStepRequest, type LogHead, type OpenStart, type StepRequest } from '@keepset/wire';
import {
  protocolFor,
  type KeyShare,
  type OpenedPoint,
  type Running,
  type Scheme,
  type SignRequest,
} from '@keepset/threshold';

/** A step request and the protocol state that waits for its answer. */
export interface Step<R> {
  readonly session: Uint8Array;
  readonly request: StepRequest;
  readonly body: Uint8Array;
  readonly state: Running<R>;
}

const freshSession = (): Uint8Array => new Uint8Array(randomBytes(32));

const running = <R>(state: { readonly status: string }): Running<R> => {
  if (state.status !== 'running') throw new Error('the protocol ended');
  return state as Running<R>;
};

/** The first step of a key generation between `device` and its server. */
export const keygenRequest = (
  { party, serverParty }: Pick<DeviceParty, 'party' | 'serverParty'>,
  scheme: Scheme = 'ed25519',
  session: Uint8Array = freshSession(),
): Step<KeyShare> => {
  const parties = [serverParty, party];
  const policy = `and(${parties.join(',')})`;
  const state = running<KeyShare>(
    protocolFor(scheme).startKeygen({ scheme, session, policy, parties, threshold: 2, me: party }),
  );
  return stepOf(session, 1, { party, start: { kind: 'keygen', scheme, policy } }, state);
};

/** The next step, once the answer's messages are there. */
export const nextRequest = <R>(
  { session, state, request }: Step<R>,
  messages: StepRequest['messages'],
  head?: LogHead,
): Step<R> => {
  const next = running<R>(state.advance(messages));
  return stepOf(
    session,
    request.step + 1,
    {
      ...(request.party === undefined ? {} : { party: request.party }),
      ...(head === undefined ? {} : { head }),
    },
    next,
  );
};

/** A signature's only step. */
export const signRequestOf = (
  { party, serverParty }: Pick<DeviceParty, 'party' | 'serverParty'>,
  share: KeyShare,
  request: SignRequest,
  { session = freshSession(), head }: { readonly session?: Uint8Array; readonly head?: LogHead } = {},
): Step<Uint8Array> => {
  const { group } = share;
  const quorum = group.parties.filter((each) => each === party || each === serverParty);
  const state = running<Uint8Array>(protocolFor(group.scheme).startSign({ share, session, quorum, request }));
  const { keyId, epoch } = group;
  return stepOf(
    session,
    1,
    {
      party,
      start: { kind: 'sign', keyId, epoch, quorum, request },
      ...(head === undefined ? {} : { head }),
    },
    state,
  );
};

/** The only step of opening a file. @param changes what its start says otherwise than it should */
export const openRequestOf = (
  { party, serverParty }: Pick<DeviceParty, 'party' | 'serverParty'>,
  share: KeyShare,
  ephemeral: Uint8Array,
  {
    session = freshSession(),
    head,
    changes = {},
  }: {
    readonly session?: Uint8Array;
    readonly head?: LogHead;
    readonly changes?: Partial<OpenStart>;
  } = {},
): Step<OpenedPoint> => {
  const { opening } = protocolFor('ecdh-p256');
  if (opening === undefined) throw new Error('no scheme opens files');
  const { keyId, epoch, parties } = share.group;
  const quorum = parties.filter((each) => each === party || each === serverParty);
  const state = running<OpenedPoint>(opening.startOpen({ share, session, quorum, opener: party, ephemeral }));
  const start: OpenStart = { kind: 'open', keyId, epoch, quorum, opener: party, ephemeral, ...changes };
  return stepOf(session, 1, { party, start, ...(head === undefined ? {} : { head }) }, state);
};

const stepOf = <R>(
  session: Uint8Array,
  step: number,
  fields: Pick<StepRequest, 'party' | 'start' | 'head'>,
  state: Running<R>,
): Step<R> => {
  const request: StepRequest = { session, step, messages: state.outgoing, ...fields };
  return { session, request, body: encodeStepRequest(request), state };
};
