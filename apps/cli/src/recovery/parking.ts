/** Taking a share off a device whose party lives on a medium, and putting it back. */
import { realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import type { KeyShare } from '@keepset/ceremony';
import { recipientOf } from '@keepset/wire';
import type { Invocation } from '../command.ts';
import { textOption } from '../command.ts';
import { loadAccount } from '../home/account.ts';
import { withDevice } from '../home/device.ts';
import { homePaths, type HomePaths } from '../home/paths.ts';
import { behindError, fromOption } from '../places/behind.ts';
import { damagedEntryError, readLedger } from '../places/ledger.ts';
import { refuseOwnDisk } from '../places/look.ts';
import { enrolmentStep, ensureEnrolled } from './enrolled.ts';
import { compareKit } from './from-copy.ts';
import { readSource } from './questions.ts';
import { restoreShare } from './restore.ts';
import { openSource, type OpenedCopy, type Source } from './source.ts';

/**
 * `keepset park`: opens the copy by its code, compares it with the share on this device, and only then removes that.
 * May be repeated; a share that is gone already was parked.
 * A stick must have been verified after it was plugged in again.
 * @throws KeepsetError `place/foreign` (another share, no copy outside this device or its disk, a stick of another device),
 * `place/stale` (another epoch, or a stick that was not plugged in again), `place/damaged` (readable by parity only),
 * `input/unsupported` (a backup without encryption), and of the source.
 */
export const parkShare = async (invocation: Invocation): Promise<void> => {
  const { options, terminal } = invocation;
  const paths = homePaths(options);
  const { party } = await loadAccount(paths.account);
  const source = await readCopySource(invocation);
  const copy = await openCopy(invocation, source, party);
  try {
    await withDevice(options, terminal, async ({ device, recipient }) => {
      await refuseItself(paths, source, recipient);
      const { keyId, epoch } = copy.opened.share.group;
      if ((await device.vault.list()).includes(keyId)) {
        const own = await device.vault.open(keyId);
        try {
          const from = textOption(options, 'from');
          refuseOther(copy, own, from === undefined ? '--keyring' : fromOption(from));
          await refuseWeak(paths, copy);
        } finally {
          own.secret.wipe();
        }
        await device.vault.retire(keyId, epoch + 1);
      }
      terminal.result({ keyId, party, epoch, kind: copy.kind, where: copy.where }, [
        `Parked: ${party}’s share of key ${keyId}, epoch ${epoch}, lies in ${copy.where} and no longer on this device.`,
        'It was opened with the code and is the same share. What a disk had written may still be found on it:',
        'use a computer with an encrypted disk for parties that live elsewhere.',
      ]);
    });
  } finally {
    copy.opened.share.secret.wipe();
  }
};

/**
 * `keepset unpark`: puts the share back, under the rules of a recovery, but without making new ones. May be repeated.
 */
export const unparkShare = async (invocation: Invocation): Promise<void> => {
  const { options, terminal } = invocation;
  const paths = homePaths(options);
  const copy = await openCopy(invocation, await readCopySource(invocation), undefined);
  const { share } = copy.opened;
  const { keyId, epoch } = share.group;
  try {
    await enrolmentStep(invocation, paths, share.party, keyId);
    await ensureEnrolled(invocation, paths, share.party);
    await withDevice(options, terminal, async (open) => {
      await restoreShare(open, paths, copy, undefined, () => compareKit(open, invocation, copy));
      terminal.result({ keyId, party: share.party, epoch, kind: copy.kind, where: copy.where }, [
        `This device is ${share.party} for now, with its share of key ${keyId}, epoch ${epoch}.`,
        'When you are done: write the copy anew if the epoch has changed, then `keepset park`.',
      ]);
    });
  } finally {
    share.secret.wipe();
  }
};

/** Where the copy is has to be said. @throws KeepsetError as {@link readSource} */
const readCopySource = async (invocation: Invocation): Promise<Source> => {
  const { options } = invocation;
  if (textOption(options, 'from') === undefined && options['keyring'] !== true)
    throw new KeepsetError('input/invalid-argument', 'Say where the copy is: --from COPY.', {
      hint: 'Write it first: `keepset usb create`, `keepset kit`. It is opened with its code before anything else.',
    });
  return readSource(invocation);
};

const openCopy = (
  { options, terminal }: Invocation,
  source: Source,
  party: string | undefined,
): Promise<OpenedCopy> => openSource(source, { key: textOption(options, 'key'), party }, terminal);

/** The share itself is no copy of it, and what lies in the device's folder is lost with the device. */
const refuseItself = async (
  { root }: HomePaths,
  { paths, codes }: Source,
  recipient: string,
): Promise<void> => {
  const recipients = await Promise.all(codes.map(recipientOf));
  const folder = `${await realpath(root)}${sep}`;
  const places = await Promise.all(paths.map((path) => realpath(path)));
  if (!recipients.includes(recipient) && !places.some((path) => `${path}${sep}`.startsWith(folder))) return;
  throw new KeepsetError('place/foreign', 'This is the share on this device itself, and no copy of it.', {
    hint: 'Write one elsewhere first: `keepset usb create`, `keepset kit`. Open it with the code it was given there.',
  });
};

const refuseOther = (copy: OpenedCopy, own: KeyShare, from: string): void => {
  const { share } = copy.opened;
  const epochs = `The copy is of epoch ${share.group.epoch}; the share on this device is of epoch ${own.group.epoch}. It stays.`;
  if (share.group.epoch > own.group.epoch) throw behindError(epochs, from);
  const hint =
    'Write the present share there (`keepset usb create FOLDER --again`, `keepset kit`), then park it.';
  if (share.group.epoch < own.group.epoch) throw new KeepsetError('place/stale', epochs, { hint });
  if (share.party === own.party && bytesEqual(share.secret.reveal(), own.secret.reveal())) return;
  throw new KeepsetError(
    'place/stale',
    'The copy was written before the last repair of this key. The share stays.',
    { hint },
  );
};

/** The share rests on this copy alone from now on, so what is in memory, mended or unprotected will not do. */
const refuseWeak = async (paths: HomePaths, { kind, kit, weakness }: OpenedCopy): Promise<void> => {
  if (weakness === 'repaired')
    throw new KeepsetError('place/damaged', 'The copy opens only as parity mends it. The share stays.', {
      hint: '`keepset usb repair FOLDER`, then unplug the stick, plug it in again, and `keepset usb verify FOLDER --replugged`. Better: use another stick.',
    });
  if (weakness === 'unencrypted')
    throw new KeepsetError('input/unsupported', 'The backup is not encrypted. The share stays.', {
      hint: 'In Finder choose “Encrypt local backup”, back the phone up again, then park it there.',
    });
  if (kind !== 'usb') return;
  if (kit?.path !== undefined) await refuseOwnDisk(kit.path, paths.root);
  const { kits, damaged } = await readLedger(paths);
  const unreadable = damaged.find((entry) => entry.kit === kit?.kit);
  if (unreadable !== undefined)
    throw damagedEntryError(unreadable, ' Whether it was plugged in again is not known. The share stays.');
  const noted = kits
    .flatMap(({ copies }) => copies)
    .find(({ sha256 }) => kit !== undefined && bytesEqual(sha256, kit.sha256));
  if (noted?.state === 'verified') return;
  throw noted === undefined
    ? new KeepsetError('place/foreign', 'This device did not write this stick. The share stays.', {
        hint: 'Write one from here: `keepset usb create FOLDER`. Unplug it, plug it in again, and verify it with --replugged.',
      })
    : new KeepsetError(
        'place/stale',
        'The stick was not plugged in again since it was written. The share stays.',
        {
          hint: 'Unplug it, plug it in again, then `keepset usb verify FOLDER --replugged`, and park.',
        },
      );
};
