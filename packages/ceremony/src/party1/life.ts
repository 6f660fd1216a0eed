/** Party 1's side of refresh and repair: one key's share is opened, and replaced or left as it is. */
import { KeepsetError } from '@keepset/bytes';
import { protocolFor, readSharing, type KeyShare, type Step } from '@keepset/threshold';
import type { Confirmation, RefreshStart, RepairStart } from '@keepset/wire';
import { changeKey, devicesOf, openApproved, runOf, witnessChange } from './change.ts';
import type { StepContext } from './handler.ts';
import type { Opened } from './open.ts';
import { admitKey, requireApproval } from './rules.ts';

/** New shares for the same parties. */
export const openRefresh = async (
  context: StepContext,
  start: RefreshStart,
): Promise<Opened<KeyShare> | Opened<Confirmation>> => {
  const row = await admitKey(context, start);
  const approve = async (): Promise<void> => {
    if (row.state === 'frozen') await requireApproval(context, start);
  };
  if (row.sealedShare === undefined) {
    await approve();
    const { parties: devices } = readSharing(row.group.policy);
    return witnessChange(context, 'refresh', row, { devices, expected: { epoch: row.group.epoch + 1 } });
  }
  const share = await openApproved(context, row, approve);
  const { group } = share;
  return {
    thaws: row.frozenBy,
    machine: protocolFor(group.scheme).startRefresh({ share, ...runOf(context) }),
    devices: devicesOf(context, group.parties),
    conclude: (state: Step<KeyShare>) =>
      state.status === 'done'
        ? changeKey('refresh', row, { group: state.result.group, share: state.result, old: share })
        : undefined,
    abandon: () => share.secret.wipe(),
  };
};

/** Party 1 helps a party to its lost share. Its own scalar stays; for ECDSA its set-up with that party is new. */
export const openRepair = async (
  context: StepContext,
  start: RepairStart,
): Promise<Opened<KeyShare> | Opened<Confirmation>> => {
  const { party1 } = context;
  const row = await admitKey(context, start);
  const approve = (): Promise<void> => requireApproval(context, start);
  const devices = devicesOf(context, [...start.helpers, start.target]);
  if (row.sealedShare === undefined) {
    await approve();
    return witnessChange(context, 'repair', row, { devices, expected: {} });
  }
  if (!start.helpers.includes(party1.party))
    throw new KeepsetError('policy/unsupported', `${party1.party} must be among the helpers.`);
  const share = await openApproved(context, row, approve);
  const { group } = share;
  return {
    thaws: row.frozenBy,
    machine: protocolFor(group.scheme).startRepair({
      group,
      helpers: start.helpers,
      target: start.target,
      me: party1.party,
      share,
      ...runOf(context),
    }),
    devices,
    conclude: (state: Step<KeyShare>) =>
      state.status === 'done'
        ? changeKey('repair', row, { group: state.result.group, share: state.result, old: share })
        : undefined,
    abandon: () => share.secret.wipe(),
  };
};
