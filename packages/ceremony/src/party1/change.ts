/** What refresh, reshare and repair have in common at Party 1. */
import type { GroupKey, KeyShare, Rng } from '@keepset/threshold';
import type { Confirmation } from '@keepset/wire';
import { commitChange } from './commit.ts';
import type { StepContext } from './handler.ts';
import type { Commit, Opened } from './open.ts';
import type { KeyChange, KeyRow, KeyWrite } from './ports.ts';
import { openWitnessed, witnessedKey, type Witnessing } from './witness.ts';

/** Opens the share of a key. Approval is asked for last, so that a request that cannot work spends none. */
export const openApproved = async (
  { party1, caller }: StepContext,
  row: KeyRow,
  approve: () => Promise<void>,
): Promise<KeyShare> => {
  const share = await party1.sealer.open(caller.tenant, row);
  try {
    await approve();
    return share;
  } catch (error) {
    share.secret.wipe();
    throw error;
  }
};

/** What every protocol's start needs of a session. */
export const runOf = ({ party1, request }: StepContext): { session: Uint8Array; rng?: Rng } => ({
  session: request.session,
  ...(party1.rng === undefined ? {} : { rng: party1.rng }),
});

/** All parties but Party 1, each once. */
export const devicesOf = ({ party1 }: StepContext, parties: readonly string[]): readonly string[] =>
  [...new Set(parties)].filter((party) => party !== party1.party);

/**
 * In one transaction the key becomes what the session made of it, if it is still at the epoch it was opened at.
 * @param row the key as it was; undefined if this server did not know it.
 * @param outcome without a share, Party 1 only witnesses the key from now on. `old` is its share until now.
 */
export const changeKey =
  (
    kind: 'refresh' | 'reshare' | 'repair',
    row: KeyRow | undefined,
    { group, share, old }: { readonly group: GroupKey; readonly share?: KeyShare; readonly old?: KeyShare },
  ): Commit =>
  async (context, answer) => {
    const { party1, caller } = context;
    const { keyId, epoch } = group;
    const key: KeyWrite =
      share === undefined
        ? witnessedKey(group)
        : { group, sealedShare: await party1.sealer.seal(caller.tenant, share) };
    const bytes = await commitChange(context, { kind, keyId, epoch }, changeTo(row, key), answer);
    share?.secret.wipe();
    old?.secret.wipe();
    return bytes;
  };

/**
 * A change among devices alone. What they confirm must be the key as `row` knows it but for what `expected` says; where
 * its epoch stays, in every public byte.
 */
export const witnessChange = (
  context: StepContext,
  kind: 'refresh' | 'reshare' | 'repair',
  row: KeyRow | undefined,
  { devices, expected }: Pick<Witnessing, 'devices' | 'expected'>,
): Opened<Confirmation> => {
  const isSameEpoch = expected.epoch === undefined || expected.epoch === row?.group.epoch;
  return openWitnessed(context, {
    kind,
    devices,
    expected: {
      ...row?.group,
      ...(isSameEpoch && row?.groupHash !== undefined ? { groupHash: row.groupHash } : {}),
      ...expected,
    },
    change: (key) => changeTo(row, key),
    thaws: row?.frozenBy,
  });
};

const changeTo = (row: KeyRow | undefined, key: KeyWrite): KeyChange =>
  row === undefined
    ? { kind: 'create', key }
    : { kind: 'replace', epoch: row.group.epoch, key, thaws: row.frozenBy };
