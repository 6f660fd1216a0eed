/** One device's request to a session in progress. */
import { KeepsetError, bytesEqual, utf8ToBytes } from '@keepset/bytes';
import { encodeStepResponse, type LogEvidence, type RelayedBlob } from '@keepset/wire';
import { about, goesOnNoMore, type StepContext } from './handler.ts';
import { relayedBytes, rouse, type LiveMember, type LiveSession, type LiveSessions } from './live.ts';
import { refuseBanned, refuseStopped, type KeyReference } from './rules.ts';

/** Blobs that may wait for one device. */
const maxRelayed = 128;
/** Bytes that may wait for one device, and for all devices of a tenant together. */
const maxRelayedBytes = 8 * 1024 * 1024;
const maxTenantBytes = 64 * 1024 * 1024;
/** Of them, what one answer carries: it has to stay below the limit of a message. */
const blobsPerAnswer = 64;
const bytesPerAnswer = 512 * 1024;

const takesPartAlready =
  'This device takes part already, perhaps in another window. If not, start again with a new code.';

type Taken = { readonly answer: Uint8Array } | { readonly woken: Promise<void> };

/**
 * Takes a request of one member: passes on what it sends, runs the protocol, and answers with what the member has
 * not had yet.
 * @param mayWait whether to wait when there is nothing to answer.
 */
export const takeLiveStep = async (
  context: StepContext,
  sessions: LiveSessions,
  live: LiveSession,
  mayWait: boolean,
): Promise<Taken> => {
  const { caller, request, requestHash } = context;
  const member = memberOf(context, live);
  await endIfStopped(context, sessions, live);
  if (request.step !== member.step) {
    if (request.step !== member.step + 1 || (request.start !== undefined && request.step !== 1))
      throw new KeepsetError('store/conflict', `This device is at step ${member.step} of the session.`, {
        ...about(request),
        hint: takesPartAlready,
      });
    member.step = request.step;
    member.requestHash = requestHash;
    member.answer = undefined;
    member.device = caller.device;
    try {
      member.answer = await runStep(context, sessions, live, member);
    } catch (error) {
      // Whatever went wrong, this state is spent: a step that fails leaves nothing that could still commit.
      sessions.drop(caller.tenant, request.session);
      // Its name is spent with it, so that a repeated first step does not open it anew.
      await context.party1.store.voidSession(caller.tenant, request.session);
      throw error;
    }
  } else if (!bytesEqual(member.requestHash, requestHash))
    throw new KeepsetError('store/conflict', 'This step was already taken with another request.', {
      ...about(request),
      hint: takesPartAlready,
    });
  if (member.answer === undefined && isWaiting(context, live, member)) {
    if (live.left) throw goesOnNoMore(request);
    if (mayWait) return { woken: live.woken };
  }
  member.answer ??= await answerTo(context, live, member);
  if (live.committed) endFor(context, sessions, live);
  return { answer: member.answer };
};

/** Ends a session that may not go on, for all who take part in it. */
const endIfStopped = async (
  context: StepContext,
  sessions: LiveSessions,
  live: LiveSession,
): Promise<void> => {
  const { party1, caller, request } = context;
  try {
    await refuseStopped(context, live);
  } catch (error) {
    sessions.drop(caller.tenant, request.session);
    await party1.store.voidSession(caller.tenant, request.session);
    throw error;
  }
};

/**
 * Passes on what the member sends and runs the protocol. Steps that use a key's pairwise set-ups run one at a time, from
 * the look at the bans to the note of a new one: of many sessions probed at once only the first gets an answer.
 */
const runStep = async (
  context: StepContext,
  sessions: LiveSessions,
  live: LiveSession,
  member: LiveMember,
): Promise<Uint8Array | undefined> => {
  const { about: key, usesSetup } = live;
  const run = (): Promise<Uint8Array | undefined> => {
    relayBlobs(context, sessions, live, member);
    return runProtocol(context, live, member);
  };
  if (key === undefined || !usesSetup) return run();
  return sessions.exclusively(context.caller.tenant, utf8ToBytes(key.keyId), async () => {
    // Asked at every step: a ban ends the sessions that were open already, too. So does a freeze that came while this
    // step was waiting for others of the same key.
    await refuseStopped(context, live);
    await refuseBanned(context, key, [...live.members.keys()]);
    try {
      return await run();
    } catch (error) {
      await banCheats(context, key, error);
      throw error;
    }
  });
};

/** A failed consistency check is terminal for the pair: noted durably before anything is answered. */
const banCheats = async (
  { party1, caller }: StepContext,
  { keyId, epoch }: KeyReference,
  error: unknown,
): Promise<void> => {
  if (!(error instanceof KeepsetError) || error.code !== 'abort/banned') return;
  for (const party of error.culprits) await party1.store.ban(caller.tenant, keyId, epoch, party);
};

/** A device speaks for the party it was enrolled as. @throws KeepsetError `policy/forbidden` */
export const checkSpeaker = ({ caller, request }: StepContext): void => {
  if (request.party !== undefined && request.party !== caller.party)
    throw new KeepsetError('policy/forbidden', `This device is enrolled as ${caller.party}.`, {
      ...about(request),
      hint: 'Its folder says otherwise: was a file of another device put into it? On the server see `keepset devices`.',
    });
};

/** The member that the caller is. @throws KeepsetError `abort/unknown-party`, `policy/forbidden` */
export const memberOf = (context: StepContext, live: LiveSession): LiveMember => {
  const { caller, request } = context;
  checkSpeaker(context);
  const member = live.members.get(caller.party);
  if (member === undefined)
    throw new KeepsetError('abort/unknown-party', `${caller.party} does not take part in this session.`, {
      ...about(request),
      hint: 'This code is for another device of yours: use it there. What was begun goes on.',
    });
  if (member.device !== undefined && member.device !== caller.device)
    throw new KeepsetError('policy/forbidden', `Another device already takes part as ${member.party}.`, {
      ...about(request),
      hint: 'If you do not use that other one, it may be a thief’s: stop the key with `keepset freeze`, and have the operator look at `keepset devices`.',
    });
  return member;
};

/** A member that brought nothing asks for news: worth waiting for, where others may still bring some. */
const isWaiting = ({ request }: StepContext, live: LiveSession, member: LiveMember): boolean =>
  live.members.size > 1 &&
  // Whoever opened the session has to tell the others first.
  request.start === undefined &&
  request.messages.length === 0 &&
  request.relay === undefined &&
  member.messages.length === 0 &&
  member.relay.length === 0 &&
  (!live.committed || member.told);

const relayBlobs = (
  { caller, request }: StepContext,
  sessions: LiveSessions,
  live: LiveSession,
  from: LiveMember,
): void => {
  let waiting = request.relay === undefined ? 0 : sessions.waitingBytes(caller.tenant);
  for (const { party, sealed } of request.relay ?? []) {
    const to = live.members.get(party);
    if (to === undefined || to === from)
      throw new KeepsetError(
        'abort/unknown-party',
        `${party} does not take part in this session.`,
        about(request),
      );
    if (sealed.length > bytesPerAnswer)
      throw new KeepsetError('wire/too-large', `A message for ${party} is too large.`, about(request));
    waiting += sealed.length;
    if (
      to.relay.length >= maxRelayed ||
      relayedBytes(to) + sealed.length > maxRelayedBytes ||
      waiting > maxTenantBytes
    )
      throw new KeepsetError('transport/overloaded', `Too many messages wait for ${party}.`, about(request));
    to.relay.push({ party: from.party, sealed });
  }
  if (request.relay !== undefined) rouse(live);
};

/** Gives the member's messages to the protocol. @returns the final answer if that completed the session. */
const runProtocol = async (
  context: StepContext,
  live: LiveSession,
  member: LiveMember,
): Promise<Uint8Array | undefined> => {
  const { request } = context;
  // A committed Party 1 has contributed all it can; what devices still send it is for the others.
  if (live.committed) return undefined;
  // With a presignature, and when a file is opened, Party 1 has its whole part ready and needs nothing from the device.
  const isReady = live.conclude(live.state) !== undefined;
  if (request.messages.length === 0 && !isReady) return undefined;
  if (request.messages.some(({ from }) => from !== member.party))
    throw new KeepsetError(
      'abort/unknown-party',
      `${member.party} sent a message in another name.`,
      about(request),
    );
  if (!isReady) {
    if (live.state.status !== 'running')
      throw new KeepsetError('abort/wrong-round', 'The protocol of this session has ended.', about(request));
    live.state = live.state.advance(request.messages);
    for (const message of live.state.outgoing) live.members.get(message.to)?.messages.push(message);
  }
  const commit = live.conclude(live.state);
  if (commit === undefined) {
    rouse(live);
    return undefined;
  }
  const answer = await commit(context, (evidence) => encodeAnswer(context, member, evidence));
  forget(member);
  member.told = true;
  live.committed = true;
  rouse(live);
  return answer;
};

const answerTo = async (context: StepContext, live: LiveSession, member: LiveMember): Promise<Uint8Array> => {
  const { party1, caller, request } = context;
  const evidence = live.committed
    ? await party1.store.prove(caller.tenant, request.session, request.head)
    : undefined;
  const answer = encodeAnswer(context, member, evidence);
  forget(member);
  member.told = live.committed;
  return answer;
};

const encodeAnswer = (
  { request }: StepContext,
  member: LiveMember,
  evidence: LogEvidence | undefined,
): Uint8Array =>
  encodeStepResponse({
    session: request.session,
    step: request.step,
    state: evidence === undefined ? 'open' : 'committed',
    messages: member.messages,
    relay: nextBlobs(member),
    ...(evidence === undefined ? {} : { evidence }),
  });

/** As many of the waiting blobs as one answer carries; the others come with the next. */
const nextBlobs = ({ relay }: LiveMember): RelayedBlob[] => {
  let bytes = 0;
  const cut = relay.findIndex(
    ({ sealed }, i) => (bytes += sealed.length) > bytesPerAnswer || i >= blobsPerAnswer,
  );
  return cut < 0 ? relay : relay.slice(0, cut);
};

const forget = (member: LiveMember): void => {
  member.messages = [];
  member.relay = member.relay.slice(nextBlobs(member).length);
};

/**
 * A committed session with one device is forgotten once that device was told: the store has its end. Where there are
 * more, they may still have things to say to one another; such a session stays until it expires.
 */
const endFor = ({ caller, request }: StepContext, sessions: LiveSessions, live: LiveSession): void => {
  const [only, ...others] = live.members.values();
  if (only?.told === true && others.length === 0) sessions.drop(caller.tenant, request.session);
};
