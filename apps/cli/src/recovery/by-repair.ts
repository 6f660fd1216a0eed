/** Recovery without any copy: the other parties give this one its share again, then all get new ones. */
import { KeepsetError } from '@keepset/bytes';
import { joinGroup, joinLife, orLeave, type Group } from '@keepset/ceremony';
import type { RepairStart } from '@keepset/wire';
import type { Invocation } from '../command.ts';
import { textOption } from '../command.ts';
import { loadAccount } from '../home/account.ts';
import { orSettle, withDevice, type OpenDevice } from '../home/device.ts';
import { readIfThere } from '../home/files.ts';
import type { HomePaths } from '../home/paths.ts';
import { compareDigits } from '../terminal/group.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { enrolmentStep, ensureEnrolled } from './enrolled.ts';
import { endingOf, endingStep, finish } from './finish.ts';
import { announce, readCause } from './questions.ts';
import { broughtBy, saveRecord, type RecoveryRecord } from '../home/recovery-record.ts';
import { ownGroup } from './restore.ts';
import { freezeFirst, freezingStep } from './theft.ts';

/** Joins a repair of this device’s share that another device started. @throws KeepsetError */
export const recoverByRepair = async (invocation: Invocation, paths: HomePaths): Promise<void> => {
  const { options, terminal } = invocation;
  const cause = await readCause(options, terminal);
  const party = await partyOf(invocation, paths);
  const enrolment = await enrolmentStep(invocation, paths, party);
  await announce(invocation, [
    ...(enrolment === undefined ? [] : [enrolment]),
    ...(cause === 'stolen' ? [freezingStep] : []),
    'let the other parties give this device its share again, without assembling the key (repair)',
    endingStep(invocation, cause),
  ]);
  await ensureEnrolled(invocation, paths, party);
  await withDevice(options, terminal, async (open) => {
    const joined = await joinGroup(open.device, textOption(options, 'join') ?? '');
    const start = await orLeave(joined, () => takePart(joined, open, { terminal, paths, cause, party }));
    const record = recordOf(start, cause);
    await saveRecord(paths, record);
    terminal.note(`Repaired: this device is ${party} again, with the share of epoch ${start.epoch}.`);
    await finish(invocation, open, paths, {
      record,
      source: { kind: 'repair', helpers: start.helpers, epoch: start.epoch },
      ending: endingOf(options),
    });
  });
};

/** Who repairs what, and why. */
interface Taking {
  readonly terminal: Terminal;
  readonly paths: HomePaths;
  readonly cause: RecoveryRecord['cause'];
  readonly party: string;
}

/** Takes part until the share is there. @returns what the other device started. */
const takePart = async (
  joined: Group,
  open: OpenDevice,
  { terminal, paths, cause, party }: Taking,
): Promise<RepairStart> => {
  const { start, initiator, members } = joined.roster;
  if (start.kind !== 'repair' || start.target !== party)
    throw new KeepsetError('input/invalid-argument', `This code is not for a repair of ${party}’s share.`, {
      hint: `On another device of the key run \`keepset repair ${party}\`. Other codes are for \`keepset join\`.`,
    });
  terminal.note(`${initiator} repairs ${party}’s share of key ${start.keyId}.`);
  if (cause === 'stolen') await requireFrozen(open, terminal, start.keyId, party);
  await compareDigits(
    terminal,
    joined.digits,
    members.map((member) => member.party),
  );
  // Until the repaired share is there, one that a copy brought may be.
  const before = await broughtBy(paths, await ownGroup(open.device, start.keyId), undefined);
  await saveRecord(paths, { ...recordOf(start, cause), ...before });
  await orSettle(open.device, terminal, () => joinLife(open.device, joined));
  return start;
};

const recordOf = (
  { keyId, epoch, helpers }: RepairStart,
  cause: RecoveryRecord['cause'],
): RecoveryRecord => ({
  keyId,
  cause,
  epoch,
  from: `a repair by ${helpers.join(' and ')}`,
});

/** A repair of a key in use is not gone on with: the thief's share counts until the key is frozen. */
const requireFrozen = async (
  open: OpenDevice,
  terminal: Terminal,
  keyId: string,
  party: string,
): Promise<void> => {
  const key = (await open.device.transport.keys()).find((each) => each.keyId === keyId);
  if (key?.state === 'frozen') return;
  await freezeFirst(open, terminal, keyId);
  throw new KeepsetError(
    'policy/frozen',
    `Key ${keyId} was in use; now it is frozen, and this repair stops.`,
    {
      hint: `On the server the operator revokes the old device (\`keepset devices\`, \`keepset revoke DEVICE\`) and runs \`keepset approve ${keyId}\`. Then start it again: \`keepset repair ${party} --approval CODE\` on the other device, and this command with its join code.`,
    },
  );
};

const partyOf = async ({ options }: Invocation, paths: HomePaths): Promise<string> => {
  if ((await readIfThere(paths.account)) !== undefined) return (await loadAccount(paths.account)).party;
  const party = textOption(options, 'party');
  if (party !== undefined && /^[a-z][a-z0-9-]{0,31}$/.test(party)) return party;
  throw new KeepsetError('input/invalid-argument', 'Say which party this computer becomes: --party NAME.', {
    hint: 'The name of the lost device in the policy, such as phone.',
  });
};
