import { KeepsetError, bytesEqual } from '@keepset/bytes';
import { runDrill } from '@keepset/ceremony';
import type { Command, OptionValues } from '../command.ts';
import { textOption } from '../command.ts';
import { withDevice, type OpenDevice } from '../home/device.ts';
import { currentShare } from '../home/own-shares.ts';
import { copyPassphraseOption, passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';
import { openWithPasskey, passkeyOptions, withPasskeyOpened, type FoundPasskey } from '../passkey/way.ts';
import { finderOpener } from '../places/finder/open.ts';
import { compareWithServer, olderLine, olderOption } from '../places/kits-at-server.ts';
import { changeKit, newestWritten, withObservation } from '../places/ledger.ts';
import { placeAt } from '../places/look.ts';
import { findPasskeyOf, openBackup, type BackupTarget, type OpenedBackup } from '../places/open-backup.ts';
import { codeOptions, givenCodes, withCodes } from '../places/recovery-code.ts';
import { refuseStale } from '../places/stale.ts';
import { withUnlocked, type Unlocked } from '../places/unlock.ts';
import { groupPrompts } from '../terminal/group.ts';
import { shellWord } from '../terminal/shell.ts';
import type { Terminal } from '../terminal/terminal.ts';

export const drill: Command = {
  name: 'drill',
  summary: 'Prove that a copy recovers: sign a challenge with the share from it, and keep nothing',
  usage: 'FOLDER|BACKUP|PICTURE…|--copy KIT [--code CODE | --passkey] [--with PARTY,…] [--offline]',
  positionals: [0, 100],
  options: {
    copy: { type: 'string', value: 'KIT', help: 'Which copy, as `keepset health` lists them' },
    ...codeOptions,
    ...copyPassphraseOption,
    ...passkeyOptions,
    ...olderOption,
    with: {
      type: 'string',
      value: 'PARTY,…',
      help: 'Other devices that sign too, where the policy needs them',
    },
    offline: { type: 'boolean', help: 'Without the server: only open the copy and check the share in it' },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    'keepset drill /media/stick --code -',
    'keepset drill --copy a4dq --code -                # a copy whose place is known',
    'keepset drill ~/backups/00008120-… --code -       # a copy in a Finder backup, whose password is asked for',
    'keepset drill page-1.png page-2.png --code -      # a printed kit',
    'keepset drill --copy a4dq --passkey               # its passkey instead of its code',
    'keepset drill ~/Drive --code - --with laptop      # then `keepset join CODE` on laptop',
  ],
  run: ({ positionals, options, terminal }) => {
    const target = {
      paths: positionals,
      kit: textOption(options, 'copy'),
      older: options['older'] === true,
      openFinder: finderOpener(options, terminal),
    };
    return options['offline'] === true
      ? withUnlocked(options, terminal, (unlocked) => drillOffline(unlocked, target, options, terminal))
      : withDevice(options, terminal, (open) => drillOnline(open, target, options, terminal));
  },
};

/** A copy that was opened, and by its passkey if it was not by its code. */
interface TriedBackup extends OpenedBackup {
  readonly passkey?: FoundPasskey;
}

/** What can be done without the server: it opens, and the share in it is the key's. */
const drillOffline = async (
  unlocked: Unlocked,
  target: BackupTarget,
  options: OptionValues,
  terminal: Terminal,
): Promise<void> => {
  const backup = await openChecked(unlocked, target, options, terminal);
  backup.opened.share.secret.wipe();
  await note(unlocked, backup, 'opened');
  terminal.result(asJson(backup, 'decrypted'), [
    ...openedLines(backup),
    'That recovery works is not proven by this: run it again without --offline.',
  ]);
};

const drillOnline = async (
  { device, unlocked, kits }: OpenDevice,
  target: BackupTarget,
  options: OptionValues,
  terminal: Terminal,
): Promise<void> => {
  const backup = await openChecked(unlocked, target, options, terminal);
  const { share } = backup.opened;
  try {
    // That it opens is true whatever the server says or does not say.
    await note(unlocked, backup, 'opened');
    const { keyId, epoch } = share.group;
    const { kit, sha256, opened } = backup;
    if (kit !== undefined) {
      const found = { kit, keyId, epoch, generation: opened.generation, sha256 };
      if ((await compareWithServer(kits, found, target.older)) === 'older') terminal.note(olderLine);
    }
    const helpers = (textOption(options, 'with') ?? '').split(',').filter((party) => party !== '');
    await runDrill(device, share, { parties: helpers, prompts: groupPrompts(terminal) });
  } finally {
    share.secret.wipe();
  }
  await note(unlocked, backup, 'proven');
  terminal.result(asJson(backup, 'recovery proven'), [
    ...openedLines(backup),
    share.group.scheme === 'ecdh-p256'
      ? 'Recovery proven: with the share from this copy a challenge was opened, and the outcome is right.'
      : 'Recovery proven: with the share from this copy a challenge was signed, and the signature verified.',
    'Share and outcome are destroyed; the key was never assembled.',
  ]);
};

/** Opens the copy, and refuses one that is not of this device's share as it is now. */
const openChecked = async (
  unlocked: Unlocked,
  target: BackupTarget,
  options: OptionValues,
  terminal: Terminal,
): Promise<TriedBackup> => {
  const { paths, vault } = unlocked;
  const backup = await openBy(unlocked, target, options, terminal);
  const { share } = backup.opened;
  try {
    const { keyId } = share.group;
    if (!(await vault.list()).includes(keyId))
      throw new KeepsetError('input/unknown-key', `This device holds no share of key ${keyId}.`, {
        hint: 'The copy opens. A drill compares it with the device’s own share.',
      });
    const own = await vault.open(keyId);
    try {
      refuseStale(backup, own, (await currentShare(paths, keyId))?.generation ?? 0, target.older);
    } finally {
      own.secret.wipe();
    }
    return backup;
  } catch (error) {
    share.secret.wipe();
    throw error;
  }
};

/** By the passkey that lies beside the copy, or by its code. */
const openBy = async (
  { paths }: Unlocked,
  target: BackupTarget,
  options: OptionValues,
  terminal: Terminal,
): Promise<TriedBackup> => {
  if (options['passkey'] !== true)
    return withCodes(options, terminal, givenCodes, (codes) => openBackup(paths, target, codes));
  const passkey = await findPasskeyOf(paths, target);
  const code = await openWithPasskey(passkey, options, terminal);
  return { ...(await openBackup(paths, target, [code]).catch(sayWrongPasskey)), passkey };
};

const sayWrongPasskey = (error: unknown): never => {
  if (!(error instanceof KeepsetError) || error.code !== 'place/locked') throw error;
  throw new KeepsetError('place/locked', 'The code that this passkey opens is that of another copy.', {
    hint: 'Use the recovery code of this copy: --code -',
    cause: error,
  });
};

/** Notes what was seen in the ledger; a copy that is not in it is no copy that this device looks after. */
const note = async ({ paths }: Unlocked, backup: TriedBackup, kind: 'opened' | 'proven'): Promise<void> => {
  if (backup.noted === undefined) return;
  const { kit: known } = backup.noted;
  const { party } = backup.opened.share;
  const moved = known.kind === 'kit' ? {} : await placeAt(known, backup.path, paths.root, party);
  await changeKit(paths, known, (kit) => {
    // The steps of a copy are those of its code: that its owner has it is not proven by a passkey.
    if (backup.passkey !== undefined) return withPasskeyOpened(kit, backup.passkey);
    const copy = kit.copies.find(({ sha256 }) => bytesEqual(sha256, backup.sha256));
    if (copy === undefined) return undefined;
    // Where an older copy lies says nothing of the newest.
    const seen = newestWritten(kit) === copy ? { ...moved, ...backup.seen } : {};
    return withObservation({ ...kit, ...seen }, copy, { kind });
  });
};

const openedLines = ({ opened, noted, seen, passkey }: TriedBackup): readonly string[] => [
  `Opened: ${opened.share.party}’s share of key ${opened.share.group.keyId}, epoch ${opened.share.group.epoch}, generation ${opened.generation}.`,
  'It fits the public data of the key.',
  ...(passkey === undefined ? [] : ['Its passkey opened it; its recovery code was not tried.']),
  ...(noted === undefined ? [unlistedLine(seen?.path)] : []),
];

const unlistedLine = (backup: string | undefined): string =>
  backup === undefined
    ? 'The ledger has no such copy, so health does not change: `keepset remember` takes it in.'
    : `This copy is not in the ledger yet: keepset finder-backup add ${shellWord(backup)} --code -`;

const asJson = (
  { opened, noted, passkey }: TriedBackup,
  proof: 'decrypted' | 'recovery proven',
): Readonly<Record<string, unknown>> => ({
  keyId: opened.share.group.keyId,
  party: opened.share.party,
  epoch: opened.share.group.epoch,
  generation: opened.generation,
  kit: noted?.kit.kit ?? null,
  by: passkey === undefined ? 'code' : 'passkey',
  proof,
});
