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
import { enrolmentStep, ensureEnrolled } from './enrolled.ts';
import { compareKit } from './from-copy.ts';
import { openedBy, readSource } from './questions.ts';
import { restoreShare } from './restore.ts';
import { openSource, type OpenedCopy, type Source } from './source.ts';

/**
 * `keepset park`: opens the copy by its code, compares it with the share on this device, and only then removes that.
 * May be repeated; a share that is gone already was parked.
 * @throws KeepsetError `place/foreign` (another share, or no copy outside this device), `place/stale` (an older copy), and
 * of the source.
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
          refuseOther(copy, own);
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
      const found = { ...copy, by: openedBy(options) };
      await restoreShare(open, paths, found, undefined, () => compareKit(open, invocation, copy));
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

const refuseOther = ({ opened }: OpenedCopy, own: KeyShare): void => {
  const { share } = opened;
  const hint =
    'Write the present share there (`keepset usb create FOLDER --again`, `keepset kit`), then park it.';
  if (share.group.epoch !== own.group.epoch)
    throw new KeepsetError(
      'place/stale',
      `The copy is of epoch ${share.group.epoch}; the share on this device is of epoch ${own.group.epoch}. It stays.`,
      { hint },
    );
  if (share.party === own.party && bytesEqual(share.secret.reveal(), own.secret.reveal())) return;
  throw new KeepsetError(
    'place/stale',
    'The copy was written before the last repair of this key. The share stays.',
    {
      hint,
    },
  );
};
