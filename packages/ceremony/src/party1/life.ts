/** Party 1's side of refresh, reshare and repair: one key's share is opened, and replaced or left as it is. */
import { KeepsetError } from '@keepset/bytes';
import { protocolFor, type KeyShare, type Reshared } from '@keepset/threshold';
import type { RefreshStart, RepairStart, ReshareStart } from '@keepset/wire';
import { planKeygen } from '../plan.ts';
import { commitChange } from './commit.ts';
import type { StepContext } from './handler.ts';
import type { Commit, Opened } from './open.ts';
import { admitKey, requireApproval } from './rules.ts';

/** New shares for the same parties. */
export const openRefresh = async (context: StepContext, start: RefreshStart): Promise<Opened<KeyShare>> => {
  const { share, thaws } = await openApproved(context, start);
  const { group } = share;
  return {
    thaws,
    machine: protocolFor(group.scheme).startRefresh({ share, ...runOf(context) }),
    devices: devicesOf(context, group.parties),
    conclude: (state) =>
      state.status === 'done' ? replaceShare('refresh', { old: share, thaws }, state.result) : undefined,
    abandon: () => share.secret.wipe(),
  };
};

/** The same key under a new policy, in which Party 1 still has a part. */
export const openReshare = async (context: StepContext, start: ReshareStart): Promise<Opened<Reshared>> => {
  const { party1 } = context;
  const next = planKeygen(start.policy, party1.party);
  if (next.policy !== start.policy)
    throw new KeepsetError('policy/unsupported', `Send the policy in canonical form: ${next.policy}.`);
  const { share, thaws } = await openApproved(context, start);
  const { group } = share;
  const isDealer = start.dealers.includes(party1.party);
  const machine = protocolFor(group.scheme).startReshare({
    group,
    dealers: start.dealers,
    next,
    me: party1.party,
    ...(isDealer ? { share } : {}),
    ...runOf(context),
  });
  return {
    thaws,
    machine,
    devices: devicesOf(context, [...new Set([...start.dealers, ...next.parties])]),
    conclude: (state) =>
      state.status === 'done' && state.result.share !== undefined
        ? replaceShare('reshare', { old: share, thaws }, state.result.share)
        : undefined,
    abandon: () => share.secret.wipe(),
  };
};

/** Party 1 helps a party to its lost share. Its own scalar stays; for ECDSA its set-up with that party is new. */
export const openRepair = async (context: StepContext, start: RepairStart): Promise<Opened<KeyShare>> => {
  const { party1 } = context;
  if (!start.helpers.includes(party1.party))
    throw new KeepsetError('policy/unsupported', `${party1.party} must be among the helpers.`);
  const { share, thaws } = await openApproved(context, start);
  const { group } = share;
  return {
    thaws,
    machine: protocolFor(group.scheme).startRepair({
      group,
      helpers: start.helpers,
      target: start.target,
      me: party1.party,
      share,
      ...runOf(context),
    }),
    devices: devicesOf(context, [...start.helpers, start.target]),
    conclude: (state) =>
      state.status === 'done' ? replaceShare('repair', { old: share, thaws }, state.result) : undefined,
    abandon: () => share.secret.wipe(),
  };
};

/** A share in a session that may change it, and the freeze which the session ends. */
interface Changing {
  readonly share: KeyShare;
  readonly thaws: number | undefined;
}

/** Opens the share. Approval is asked for last, so that a request that cannot work spends none. */
const openApproved = async (
  context: StepContext,
  start: RefreshStart | ReshareStart | RepairStart,
): Promise<Changing> => {
  const { party1, caller } = context;
  const row = await admitKey(context, start);
  const share = await party1.sealer.open(caller.tenant, row);
  try {
    if (start.kind !== 'refresh' || row.state === 'frozen') await requireApproval(context, start);
  } catch (error) {
    share.secret.wipe();
    throw error;
  }
  return { share, thaws: row.frozenBy };
};

const runOf = ({
  party1,
  request,
}: StepContext): { session: Uint8Array; rng?: NonNullable<typeof party1.rng> } => ({
  session: request.session,
  ...(party1.rng === undefined ? {} : { rng: party1.rng }),
});

const devicesOf = ({ party1 }: StepContext, parties: readonly string[]): readonly string[] =>
  parties.filter((party) => party !== party1.party);

/** In one transaction the new share takes the place of the old one, if the key is still at the old epoch. */
const replaceShare =
  (
    kind: 'refresh' | 'reshare' | 'repair',
    { old, thaws }: { readonly old: KeyShare; readonly thaws: number | undefined },
    share: KeyShare,
  ): Commit =>
  async (context, answer) => {
    const { party1, caller } = context;
    const { keyId, epoch } = share.group;
    const key = { group: share.group, sealedShare: await party1.sealer.seal(caller.tenant, share) };
    const bytes = await commitChange(
      context,
      { kind, keyId, epoch },
      { kind: 'replace', epoch: old.group.epoch, key, thaws },
      answer,
    );
    share.secret.wipe();
    old.secret.wipe();
    return bytes;
  };
