/** Runs all parties of a protocol in this process, one after another: the time is the compute of all together. */
import { randomBytes } from 'node:crypto';
import {
  protocolFor,
  type KeyShare,
  type Presignature,
  type ProtocolMessage,
  type Scheme,
  type SignRequest,
  type Step,
} from '@keepset/threshold';

export interface Finished<R> {
  readonly results: readonly R[];
  /** Bytes of all message bodies. */
  readonly bytes: number;
  /** Processor time, see {@link processorMs}. */
  readonly milliseconds: number;
  /** The same by the clock, waiting for the processor included. */
  readonly wallMs: number;
}

/** Processor time of this process so far, all threads: what else runs on the machine disturbs it less than the clock. */
export const processorMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

export const runAll = <R>(starts: ReadonlyMap<string, () => Step<R>>): Finished<R> => {
  const begin = processorMs();
  const clock = performance.now();
  let bytes = 0;
  let mail: ProtocolMessage[] = [];
  const steps = new Map<string, Step<R>>();
  for (const [party, start] of starts) {
    const step = start();
    steps.set(party, step);
    mail.push(...step.outgoing);
  }
  while (mail.length > 0) {
    const batch = mail;
    mail = [];
    for (const message of batch) bytes += message.body.length;
    for (const [party, step] of steps) {
      const incoming = batch.filter((message) => message.to === party);
      if (step.status !== 'running' || incoming.length === 0) continue;
      const next = step.advance(incoming);
      steps.set(party, next);
      mail.push(...next.outgoing);
    }
  }
  const milliseconds = processorMs() - begin;
  const wallMs = performance.now() - clock;
  const results = [...steps.values()].map((step) => {
    if (step.status !== 'done') throw new Error('A party did not finish.');
    return step.result;
  });
  return { results, bytes, milliseconds, wallMs };
};

const random = (): Uint8Array => new Uint8Array(randomBytes(32));
const request: SignRequest = { message: new Uint8Array(randomBytes(200)), digest: 'sha256' };

export const keygen = (scheme: Scheme, threshold: number, count: number): Finished<KeyShare> => {
  const parties = Array.from({ length: count }, (_, i) => `party${i + 1}`);
  const policy = `thresh(${threshold},${parties.join(',')})`;
  const session = random();
  const protocol = protocolFor(scheme);
  return runAll(
    new Map(
      parties.map((me) => [
        me,
        () => protocol.startKeygen({ scheme, session, policy, parties, threshold, me }),
      ]),
    ),
  );
};

/** Signs with all given shares. */
export const sign = (shares: readonly KeyShare[]): Finished<Uint8Array> => {
  const quorum = shares.map((share) => share.party);
  const session = random();
  return runAll(
    new Map(
      shares.map((share) => [
        share.party,
        () => protocolFor(share.group.scheme).startSign({ share, session, quorum, request }),
      ]),
    ),
  );
};

const presigningOf = (share: KeyShare): NonNullable<ReturnType<typeof protocolFor>['presigning']> => {
  const { presigning } = protocolFor(share.group.scheme);
  if (presigning === undefined) throw new Error(`${share.group.scheme} has no presignatures.`);
  return presigning;
};

export const presign = (shares: readonly KeyShare[]): Finished<Presignature> => {
  const quorum = shares.map((share) => share.party);
  const session = random();
  return runAll(
    new Map(
      shares.map((share) => [
        share.party,
        () => presigningOf(share).startPresign({ share, session, quorum }),
      ]),
    ),
  );
};

/**
 * As a device and its server sign: the server gives its fragment and is done, the device completes and verifies. The
 * device's fragment is left out of the count, since it is never sent.
 */
export const signPresigned = (
  [server, device]: readonly KeyShare[],
  [theirs, ours]: readonly Presignature[],
): Finished<Uint8Array> => {
  if (server === undefined || device === undefined || theirs === undefined || ours === undefined)
    throw new Error('A share and a presignature for each of two parties.');
  const begin = processorMs();
  const clock = performance.now();
  const fragment = presigningOf(server).startSign({ presignature: theirs, share: server, request });
  const state = presigningOf(device).startSign({ presignature: ours, share: device, request });
  if (state.status !== 'running') throw new Error('A presigned signature has one round.');
  const done = state.advance(fragment.outgoing);
  if (done.status !== 'done') throw new Error('A presigned signature has one round.');
  return {
    milliseconds: processorMs() - begin,
    wallMs: performance.now() - clock,
    bytes: fragment.outgoing.reduce((sum, { body }) => sum + body.length, 0),
    results: [done.result],
  };
};
