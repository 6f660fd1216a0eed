import { KeepsetError } from '@keepset/bytes';
import type { KeyShare } from '@keepset/threshold';
import type { StepContext } from './handler.ts';
import type { LiveSession } from './live.ts';
import type { KeyRow } from './ports.ts';

/** Which key a session is about, as its start names it. */
export interface KeyReference {
  readonly keyId: string;
  readonly epoch: number;
  /** The operator's one-time code, where the kind of session can have one. */
  readonly approval?: string;
}

/**
 * The key a session is about, if Party 1's rules allow a session at all. A frozen key takes part only in what the
 * operator approved, which {@link requireApproval} is to check.
 * @throws KeepsetError `input/unknown-key`, `policy/frozen`, `abort/wrong-epoch`
 */
export const admitKey = async (
  { party1, caller }: StepContext,
  { keyId, epoch, approval }: KeyReference,
): Promise<KeyRow> => {
  const row = await party1.store.findKey(caller.tenant, keyId);
  if (row === undefined) throw unknownKey(keyId);
  if (row.state === 'frozen' && approval === undefined) throw frozenKey(keyId);
  if (epoch !== row.group.epoch)
    throw new KeepsetError(
      'abort/wrong-epoch',
      `Epoch ${epoch} of the key is not current; ${row.group.epoch} is.`,
      {
        hint:
          epoch < row.group.epoch
            ? 'This share is of an earlier epoch and cannot take part. See `keepset recover --help`.'
            : 'The server is behind: was it restored from a backup? See `keepset recover --server-restored --help`.',
      },
    );
  return row;
};

/** Opens Party 1's share of a key that {@link admitKey} admits. Throws as that does. */
export const openKey = async (context: StepContext, reference: KeyReference): Promise<KeyShare> => {
  const row = await admitKey(context, reference);
  if (row.sealedShare === undefined)
    throw new KeepsetError('policy/unsupported', `This server holds no share of key ${reference.keyId}.`, {
      hint: 'Its devices use it together: name the others with --with.',
    });
  return context.party1.sealer.open(context.caller.tenant, row);
};

/** What Party 1 says of a key that it does not know. Its user's devices may. */
export const unknownKey = (keyId: string): KeepsetError =>
  new KeepsetError('input/unknown-key', `No key ${keyId} here.`, {
    hint: 'The server does not know this key. See `keepset recover --server-restored --help` if it was restored from a backup, `keepset reshare --adopt --help` if it is another server. Keep the share.',
  });

/** The refusal of whatever uses a frozen key. */
export const frozenKey = (keyId: string): KeepsetError =>
  new KeepsetError('policy/frozen', `Key ${keyId} is frozen.`, {
    hint: `The operator of the server opens it again (\`keepset unfreeze ${keyId}\`) or approves a refresh or reshare, which gives it new shares (\`keepset approve ${keyId}\`).`,
  });

/**
 * Asked at every step: a freeze and a revocation end the sessions that were open already, too.
 * @throws KeepsetError `policy/frozen`, or `policy/revoked` where a device that takes part was revoked
 */
export const refuseStopped = async ({ party1, caller }: StepContext, live: LiveSession): Promise<void> => {
  const devices = [...live.members.values()].flatMap(({ device }) => (device === undefined ? [] : [device]));
  const revoked = await party1.store.revoked(caller.tenant, [...devices, caller.device]);
  if (revoked.length > 0)
    throw new KeepsetError('policy/revoked', 'A device of this session was revoked by the operator.', {
      hint: 'Start again without it.',
    });
  // What has changed a key is done, and everybody has to be told.
  if (live.about === undefined || (live.committed && !live.usesKey)) return;
  const { keyId } = live.about;
  const row = await party1.store.findKey(caller.tenant, keyId);
  const goesOn = live.thaws !== undefined && live.thaws === row?.frozenBy;
  if (row?.state === 'frozen' && !goesOn) throw frozenKey(keyId);
};

/**
 * What lets new devices have shares needs more than one device's word: a stolen device could otherwise invite another
 * one of the thief's and have the key dealt to both. The server's operator approves it with a one-time code.
 * @throws KeepsetError `policy/forbidden`
 */
export const requireApproval = async (
  { party1, caller }: StepContext,
  { keyId, approval }: Pick<KeyReference, 'keyId' | 'approval'>,
  what: 'change' | 'adopt' = 'change',
): Promise<void> => {
  const isApproved =
    approval !== undefined && (await party1.store.spendApproval(caller.tenant, keyId, approval, what));
  if (!isApproved)
    throw new KeepsetError('policy/forbidden', 'The operator of the server must approve this.', {
      hint: `On the server run \`keepset approve ${keyId}${what === 'adopt' ? ' --adopt' : ''}\`, then give the code here with --approval CODE.`,
    });
};

/**
 * Refuses to run anything that uses the pairwise set-up with a party that cheated. A refresh makes a fresh one.
 * @throws KeepsetError `abort/banned`
 */
export const refuseBanned = async (
  { party1, caller }: StepContext,
  { keyId, epoch }: KeyReference,
  parties: readonly string[],
): Promise<void> => {
  const banned = await party1.store.banned(caller.tenant, keyId, epoch);
  const culprits = parties.filter((party) => banned.includes(party));
  if (culprits.length > 0)
    throw new KeepsetError(
      'abort/banned',
      `${culprits.join(' and ')} failed a consistency check and may not sign any more.`,
      {
        culprits,
        hint: 'If the device is yours and sound, run `keepset refresh`: it makes a fresh set-up.',
      },
    );
};
