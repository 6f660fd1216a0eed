import { parsePolicy, printPolicy } from '@keepset/access';
import { KeepsetError, bytesEqual, toHex } from '@keepset/bytes';
import {
  drillOpening,
  drillRequest,
  joinGroup,
  joinKeygen,
  joinLife,
  joinOpen,
  joinSign,
  orLeave,
  type DeviceParty,
  type Group,
  type GroupKey,
  type SignRequest,
} from '@keepset/ceremony';
import { readVaultHeader, type OpenStart, type SignStart } from '@keepset/wire';
import type { Command, Invocation } from '../command.ts';
import { orSettle, withDevice, type OpenDevice } from '../home/device.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { renewCopies } from '../places/rewrite.ts';
import { homeOptions } from '../home/paths.ts';
import { describeIntent, intentOptions, readInput, understand } from '../intents.ts';
import { compareDigits } from '../terminal/group.ts';
import { openSealed } from '../vault/files.ts';
import { describeNewKey } from './keygen.ts';
import { describeChange, describeRepair } from './life.ts';

export const join: Command = {
  name: 'join',
  summary: 'Take part in what another device of yours has started',
  usage: 'CODE [FILE]',
  positionals: [1, 2],
  options: {
    ...intentOptions,
    yes: { type: 'boolean', short: 'y', help: 'Take part without asking, in spite of warnings' },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    'keepset join keepset-join-a4dq…',
    'keepset join keepset-join-a4dq… payment.psbt',
    'keepset join keepset-join-a4dq… will.pdf.age',
  ],
  run: (invocation) =>
    withDevice(invocation.options, invocation.terminal, async (open) => {
      const group = await joinGroup(open.device, invocation.positionals[0] ?? '');
      await orLeave(group, () => takePart(open, group, invocation));
    }),
};

const takePart = (open: OpenDevice, group: Group, invocation: Invocation): Promise<void> => {
  const { kind } = group.roster.start;
  if (kind === 'keygen') return takePartInKeygen(open, group, invocation);
  if (kind === 'sign') return takePartInSign(open, group, invocation);
  if (kind === 'open') return takePartInOpen(open, group, invocation);
  return takePartInChange(open, group, invocation);
};

const compare = ({ digits, roster }: Group, { terminal }: Invocation): Promise<void> =>
  compareDigits(
    terminal,
    digits,
    roster.members.map(({ party }) => party),
  );

const takePartInKeygen = async (
  { device }: OpenDevice,
  group: Group,
  invocation: Invocation,
): Promise<void> => {
  const { start, initiator } = group.roster;
  if (start.kind !== 'keygen') return;
  const { terminal } = invocation;
  const policy = canonical(start.policy);
  terminal.note(`${initiator} makes a ${start.scheme} key under ${policy}; you are ${device.party}.`);
  await compare(group, invocation);
  const made = await orSettle(device, terminal, () => joinKeygen(device, group));
  terminal.result(...describeNewKey(made));
};

/** A policy as it is meant, whatever the other device sent. */
const canonical = (policy: string): string => printPolicy(parsePolicy(policy, { allowRepeats: true }));

const takePartInChange = async (open: OpenDevice, group: Group, invocation: Invocation): Promise<void> => {
  const { device } = open;
  const { start, initiator } = group.roster;
  if (start.kind === 'keygen' || start.kind === 'sign' || start.kind === 'open') return;
  const { terminal } = invocation;
  const change =
    start.kind === 'reshare' ? `put under ${canonical(start.policy)}` : `taken through a ${start.kind}`;
  terminal.note(`${initiator} wants key ${start.keyId} ${change}; you are ${device.party}.`);
  await compare(group, invocation);
  const changed = await orSettle(device, terminal, () => joinLife(device, group));
  terminal.result(
    ...(start.kind === 'repair'
      ? describeRepair(start.target, changed, await renewCopies(open.unlocked, changed.keyId))
      : await describeChange('Done', changed, open)),
  );
};

/** This device signs only what it can see itself: the file must lead to the very message that is to be signed. */
const takePartInSign = async (
  { device }: OpenDevice,
  group: Group,
  invocation: Invocation,
): Promise<void> => {
  const { start, initiator } = group.roster;
  if (start.kind !== 'sign') return;
  const { terminal, options } = invocation;
  const file = await fileUnlessDrill(device, group, invocation, [
    `${initiator} wants a signature with key ${start.keyId}: give the file too.`,
    'keepset join CODE FILE. This device then signs only what it has seen itself.',
  ]);
  if (file === undefined) return;
  const share = await device.vault.open(start.keyId);
  try {
    const { intent, requests } = understand(await readInput(file), share.group, file, options);
    if (!requests.some((request) => isSameRequest(request, start.request)))
      throw new KeepsetError('policy/forbidden', `${initiator} wants something else signed than this file.`, {
        hint: 'Use the same file and the same options (--as, --namespace, …) on both devices.',
      });
    await describeIntent(intent, share.group.keyId, options['yes'] === true, terminal);
    await compare(group, invocation);
    const { signature } = await joinSign(device, share, group);
    terminal.result({ keyId: start.keyId, signature: toHex(signature) }, [
      'Signed together; the other device has the result.',
    ]);
  } finally {
    share.secret.wipe();
  }
};

/** This device helps to open only a file it has itself: the file's own header must lead to the same request. */
const takePartInOpen = async (
  { device }: OpenDevice,
  group: Group,
  invocation: Invocation,
): Promise<void> => {
  const { start, initiator } = group.roster;
  if (start.kind !== 'open') return;
  const { terminal, options } = invocation;
  const file = await fileUnlessDrill(device, group, invocation, [
    `${initiator} wants a file opened with key ${start.keyId}: give your copy of it too.`,
    'keepset join CODE FILE.age. Its first 64 kB are enough.',
  ]);
  if (file === undefined) return;
  const { head } = await openSealed(file);
  const share = await device.vault.open(start.keyId);
  try {
    const ephemerals = await readVaultHeader(head, share.group.publicKey);
    if (!ephemerals.some((ephemeral) => bytesEqual(ephemeral, start.ephemeral)))
      throw new KeepsetError('policy/forbidden', `${initiator} wants another file opened than this one.`);
    terminal.note(`${initiator} will be able to read ${file}; you only help to open it.`);
    if (terminal.canAsk && options['yes'] !== true && !(await terminal.askYesNo('Help to open it?')))
      throw new KeepsetError('input/invalid-argument', 'Not opened: you said no.');
    await compare(group, invocation);
    await joinOpen(device, share, group);
    terminal.result({ keyId: start.keyId, opener: initiator }, [
      `Opened together; ${initiator} has the content.`,
    ]);
  } finally {
    share.secret.wipe();
  }
};

/** The file that the user gave; without one this can only be a drill, which is then taken part in. */
const fileUnlessDrill = async (
  device: DeviceParty,
  group: Group,
  invocation: Invocation,
  [message, hint]: readonly [message: string, hint: string],
): Promise<string | undefined> => {
  const file = invocation.positionals[1];
  if (file !== undefined || (await takePartInDrill(device, group, invocation))) return file;
  throw new KeepsetError('input/invalid-argument', message, { hint });
};

/** A drill needs no file: what is signed or opened follows from the session, and is of no use. @returns whether it was one */
const takePartInDrill = async (
  device: DeviceParty,
  group: Group,
  invocation: Invocation,
): Promise<boolean> => {
  const { start, initiator } = group.roster;
  if (start.kind !== 'sign' && start.kind !== 'open') return false;
  const { terminal } = invocation;
  const share = await device.vault.open(start.keyId);
  try {
    if (!isDrill(start, share.group, group.channel.session)) return false;
    terminal.note(
      `${initiator} tries a backup copy of its share of key ${start.keyId}; nothing else is signed or opened.`,
    );
    await compare(group, invocation);
    await (start.kind === 'sign' ? joinSign : joinOpen)(device, share, group);
    terminal.result({ keyId: start.keyId, drill: true }, [
      'The drill is done; the other device has the result.',
    ]);
    return true;
  } finally {
    share.secret.wipe();
  }
};

const isDrill = (start: SignStart | OpenStart, key: GroupKey, session: Uint8Array): boolean => {
  if (start.kind === 'sign') return isSameRequest(drillRequest(key, session), start.request);
  const opening = drillOpening(key, session);
  return opening !== undefined && bytesEqual(opening.ephemeral, start.ephemeral);
};

const isSameRequest = (a: SignRequest, b: SignRequest): boolean =>
  bytesEqual(a.message, b.message) &&
  a.digest === b.digest &&
  (a.taproot === undefined) === (b.taproot === undefined) &&
  bytesEqual(a.taproot?.merkleRoot ?? new Uint8Array(0), b.taproot?.merkleRoot ?? new Uint8Array(0)) &&
  (a.path ?? []).join() === (b.path ?? []).join();
