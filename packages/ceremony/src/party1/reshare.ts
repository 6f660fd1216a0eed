/**
 * Party 1's side of a reshare: the same key under a new policy. Party 1 deals if it is a dealer, gets a share if the new
 * policy names it, and else witnesses.
 */
import { isQuorum } from '@keepset/access';
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import { protocolFor, readSharing, type GroupKey, type Reshared, type Step } from '@keepset/threshold';
import type { Confirmation, ReshareStart } from '@keepset/wire';
import { asked, planKeygen } from '../plan.ts';
import { groupHashOf } from '../witness.ts';
import { changeKey, devicesOf, openApproved, runOf, witnessChange } from './change.ts';
import type { StepContext } from './handler.ts';
import type { Opened } from './open.ts';
import type { KeyRow } from './ports.ts';
import { admitKey, requireApproval } from './rules.ts';

export const openReshare = async (
  context: StepContext,
  start: ReshareStart,
): Promise<Opened<Reshared> | Opened<Confirmation>> => {
  const { party1 } = context;
  const next = planKeygen(start.policy, party1.party, asked);
  if (next.policy !== start.policy)
    throw new KeepsetError('policy/unsupported', `Send the policy in canonical form: ${next.policy}.`);
  const isDealer = start.dealers.includes(party1.party);
  const { row, adopts } = await admitOrAdopt(context, start, isDealer);
  const holds = row?.sealedShare !== undefined;
  if (holds && !isDealer && next.isWitnessed)
    throw new KeepsetError(
      'policy/unsupported',
      `${party1.party} holds a share of key ${start.keyId}, and gives it up only in a reshare that it takes part in.`,
      { hint: 'Let it be a dealer. If its share is of an earlier epoch, give it a new one first.' },
    );
  const approve = (): Promise<void> => requireApproval(context, start, adopts ? 'adopt' : 'change');
  const devices = devicesOf(context, [...start.dealers, ...next.parties]);
  if (!isDealer && next.isWitnessed) {
    // Who holds what, a witness cannot see; but it knows who must act together.
    if (row !== undefined && !adopts && !isQuorum(readSharing(row.group.policy).policy, start.dealers))
      throw new KeepsetError(
        'policy/unsatisfied',
        `${start.dealers.join(' and ')} are no quorum of ${row.group.policy}.`,
      );
    await approve();
    const { keyId, epoch } = start;
    const expected = { keyId, epoch: epoch + 1, policy: next.policy };
    return witnessChange(context, 'reshare', row, { devices, expected });
  }
  const old = holds && !adopts ? await openApproved(context, row, approve) : undefined;
  const group = old?.group ?? groupOf(start, adopts ? undefined : row);
  const machine = protocolFor(group.scheme).startReshare({
    group,
    dealers: start.dealers,
    next,
    me: party1.party,
    ...(isDealer && old !== undefined ? { share: old } : {}),
    ...runOf(context),
  });
  // Starting has checked that the group's data are consistent: only now is an approval spent.
  if (old === undefined) await approve();
  return {
    thaws: row?.frozenBy,
    machine,
    devices,
    conclude: (state: Step<Reshared>) =>
      state.status === 'done'
        ? changeKey('reshare', row, { ...state.result, ...(old === undefined ? {} : { old }) })
        : undefined,
    abandon: () => old?.secret.wipe(),
  };
};

/** The key as this server knows it, and whether its devices are further than it is. */
interface Admitted {
  readonly row: KeyRow | undefined;
  readonly adopts: boolean;
}

/**
 * A key that this server does not know, or knows at an earlier epoch only (it is new, or was restored from a backup), can
 * be brought to it by its devices, if they are a quorum without it: dealers prove in the reshare that they hold the key.
 */
const admitOrAdopt = async (
  context: StepContext,
  start: ReshareStart,
  isDealer: boolean,
): Promise<Admitted> => {
  const { party1, caller } = context;
  const row = await party1.store.findKey(caller.tenant, start.keyId);
  const isBehind = row === undefined || row.group.epoch < start.epoch;
  if (!isBehind || isDealer) return { row: await admitKey(context, start), adopts: false };
  return { row, adopts: true };
};

/**
 * The group that a Party 1 without a share is to get a share of. A witness compares it with what all devices confirmed.
 * That its parts fit one another is checked when the protocol starts; that the dealers hold the key, in the protocol.
 */
const groupOf = ({ key, keyId, epoch }: ReshareStart, row: KeyRow | undefined): GroupKey => {
  if (key === undefined || key.keyId !== keyId || key.epoch !== epoch)
    throw new KeepsetError('wire/malformed', 'The reshare does not say which key this server shall have.');
  if (row?.groupHash !== undefined && !bytesEqual(groupHashOf(key), row.groupHash))
    throw new KeepsetError('abort/transcript-mismatch', 'The devices confirmed another key than this one.');
  return key;
};
