/** Party 1's side of sessions among devices alone: it passes on, waits until all confirm the same, and commits. */
import { isQuorum } from '@keepset/access';
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import {
  keyIdOf,
  readSharing,
  startMachine,
  type GroupKey,
  type Scheme,
  type Step,
} from '@keepset/threshold';
import { confirmationSchema, type Confirmation } from '@keepset/wire';
import { groupHashOf, witnessContext } from '../witness.ts';
import { commitChange, keepAnswer, sessionWrite, type ActSubject } from './commit.ts';
import { answerAgain, type StepContext } from './handler.ts';
import { checkSpeaker } from './member.ts';
import type { Opened, Opening } from './open.ts';
import type { KeyChange, KeyWrite } from './ports.ts';
import { admitKey } from './rules.ts';

/** A session that Party 1 only witnesses. */
export interface Witnessing {
  readonly kind: Exclude<ActSubject['kind'], 'sign' | 'open' | 'presign'>;
  /** All who take part, in any order. */
  readonly devices: readonly string[];
  /** What the devices must confirm, as far as Party 1 knows it. */
  readonly expected: Partial<Confirmation>;
  /** What the session does to the key. */
  readonly change: (key: KeyWrite) => KeyChange;
  /** See `LiveSession.thaws`. */
  readonly thaws?: number | undefined;
}

/** Opens a session whose only commit point is Party 1, although it holds no share. */
export const openWitnessed = (
  context: StepContext,
  { kind, devices, expected, change, thaws }: Witnessing,
): Opened<Confirmation> => ({
  machine: awaitConfirmations(context, devices, expected),
  devices,
  thaws,
  conclude: (state) => {
    if (state.status !== 'done') return undefined;
    const { groupHash, ...group } = state.result;
    const { keyId, epoch } = group;
    return (last, answer) => commitChange(last, { kind, keyId, epoch }, change({ group, groupHash }), answer);
  },
  abandon: () => undefined,
});

const awaitConfirmations = (
  { party1, request }: StepContext,
  devices: readonly string[],
  expected: Witnessing['expected'],
): Step<Confirmation> =>
  startMachine(
    { context: witnessContext(request.session), me: party1.party, peers: devices, rounds: 1 },
    () => ({
      send: new Map(),
      next: (inbox) => {
        const [first, ...others] = devices.map((device) => inbox.read(device, confirmationSchema));
        if (first === undefined) throw new KeepsetError('bug/invariant', 'A session without devices.');
        if (others.some((other) => !isSame(first, other)))
          throw new KeepsetError('abort/transcript-mismatch', 'The devices hold different results.', {
            hint: 'Nothing was accepted. Start again; if it happens again, one of the devices is dishonest.',
          });
        if (
          !isSame(first, { ...first, ...expected }) ||
          keyIdOf(first.scheme, first.publicKey) !== first.keyId
        )
          throw new KeepsetError(
            'abort/malformed-message',
            'The devices made something else than was begun.',
            {
              culprits: devices,
            },
          );
        return { result: first };
      },
    }),
  );

const isSame = (a: Confirmation, b: Confirmation): boolean =>
  a.keyId === b.keyId &&
  a.scheme === b.scheme &&
  a.epoch === b.epoch &&
  a.policy === b.policy &&
  bytesEqual(a.publicKey, b.publicKey) &&
  bytesEqual(a.groupHash, b.groupHash);

/**
 * Devices sign or open by themselves: Party 1 has no share of the key, or they are a quorum without it. It logs that they
 * began, which is all it can know and vouch for, and passes on; a freeze keeps it from doing so.
 * @param checkScheme throws for a key that is not for this use.
 */
export const witnessUse = async (
  context: StepContext,
  quorum: readonly string[],
  subject: ActSubject,
  checkScheme: (scheme: Scheme) => void,
): Promise<Opening<never>> => {
  const row = await admitKey(context, subject);
  checkScheme(row.group.scheme);
  const { policy, parties } = readSharing(row.group.policy);
  if (!quorum.every((party) => parties.includes(party)) || !isQuorum(policy, quorum))
    throw new KeepsetError('policy/unsatisfied', `This is no quorum of key ${subject.keyId}.`, {
      hint: `Its policy is ${row.group.policy}.`,
    });
  checkStanding(context, quorum);
  const written = await context.party1.store.consume(sessionWrite(context, subject));
  if (!written.written) return { answer: answerAgain(written.row, context) };
  return {
    machine: onlooker(context, quorum),
    devices: quorum,
    abandon: () => undefined,
    conclude: () => keepAnswer(() => undefined),
  };
};

/** Only who takes part may spend a session. @throws KeepsetError `policy/forbidden`, `abort/unknown-party` */
export const checkStanding = (context: StepContext, quorum: readonly string[]): void => {
  checkSpeaker(context);
  const { party } = context.caller;
  if (!quorum.includes(party))
    throw new KeepsetError('abort/unknown-party', `${party} does not stand in this quorum.`);
};

/** A machine that waits for nothing: devices act by themselves, and Party 1 has no part to give. */
const onlooker = ({ party1, request }: StepContext, devices: readonly string[]): Step<never> =>
  startMachine(
    { context: witnessContext(request.session), me: party1.party, peers: devices, rounds: 1 },
    () => ({
      send: new Map(),
      next: () => {
        throw new KeepsetError('abort/wrong-round', 'The server takes no part in this.');
      },
    }),
  );

/** A key of which Party 1 holds no share, as it keeps it. */
export const witnessedKey = (group: GroupKey): KeyWrite => {
  const { keyId, scheme, epoch, policy, publicKey } = group;
  return { group: { keyId, scheme, epoch, policy, publicKey }, groupHash: groupHashOf(group) };
};
