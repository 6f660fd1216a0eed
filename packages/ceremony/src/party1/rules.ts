import { KeepsetError } from '@keepset/bytes';
import type { KeyShare } from '@keepset/threshold';
import type { StepContext } from './handler.ts';

/** Which key a session is about, as its start names it. */
export interface KeyReference {
  readonly keyId: string;
  readonly epoch: number;
}

/**
 * Opens Party 1's share of the key a session is about, if its rules allow a session at all.
 * @throws KeepsetError `input/unknown-key`, `policy/forbidden` for a frozen key, `abort/wrong-epoch`
 */
export const openKey = async (
  { party1, caller }: StepContext,
  { keyId, epoch }: KeyReference,
): Promise<KeyShare> => {
  const row = await party1.store.findKey(caller.tenant, keyId);
  if (row === undefined) throw new KeepsetError('input/unknown-key', `No key ${keyId} here.`);
  if (row.state === 'frozen')
    throw new KeepsetError('policy/forbidden', `Key ${keyId} is frozen.`, {
      hint: 'It signs again once it is unfrozen or recovered.',
    });
  if (epoch !== row.group.epoch)
    throw new KeepsetError(
      'abort/wrong-epoch',
      `Epoch ${epoch} of the key is not current; ${row.group.epoch} is.`,
      {
        hint: 'This share is of another epoch and cannot take part. Recover the device.',
      },
    );
  return party1.sealer.open(caller.tenant, row);
};

/**
 * What lets new devices have shares needs more than one device's word: a stolen device could otherwise invite another
 * one of the thief's and have the key dealt to both. The server's operator approves it with a one-time code.
 * @throws KeepsetError `policy/forbidden`
 */
export const requireApproval = async (
  { party1, caller }: StepContext,
  { keyId, approval }: { readonly keyId: string; readonly approval?: string },
): Promise<void> => {
  const isApproved =
    approval !== undefined && (await party1.store.spendApproval(caller.tenant, keyId, approval));
  if (!isApproved)
    throw new KeepsetError('policy/forbidden', 'The operator of the server must approve this.', {
      hint: `On the server run \`keepset approve ${keyId}\`, then give the code here with --approval CODE.`,
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
