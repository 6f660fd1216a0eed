/** Taking a share off a device whose party lives on a medium, and putting it back. */
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import type { KeyShare } from '@keepset/ceremony';
import type { Invocation } from '../command.ts';
import { textOption } from '../command.ts';
import { loadAccount } from '../home/account.ts';
import { withDevice } from '../home/device.ts';
import { homePaths } from '../home/paths.ts';
import { enrolmentStep, ensureEnrolled } from './enrolled.ts';
import { readSource } from './questions.ts';
import { restoreShare } from './restore.ts';
import { openSource, type OpenedCopy } from './source.ts';

/**
 * `keepset park`: opens the copy by its code, compares it with the share on this device, and only then removes that.
 * May be repeated; a share that is gone already was parked.
 * @throws KeepsetError `place/foreign` (another share), `place/stale` (an older copy), and of the source.
 */
export const parkShare = async (invocation: Invocation): Promise<void> => {
  const { options, terminal } = invocation;
  const { party } = await loadAccount(homePaths(options).account);
  const copy = await openCopy(invocation, party);
  try {
    await withDevice(options, terminal, async ({ device }) => {
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
  const copy = await openCopy(invocation, undefined);
  const { share } = copy.opened;
  const { keyId, epoch } = share.group;
  try {
    await enrolmentStep(invocation, paths, share.party, keyId);
    await ensureEnrolled(invocation, paths, share.party);
    await withDevice(options, terminal, async (open) => {
      await restoreShare(open, paths, copy, undefined);
      terminal.result({ keyId, party: share.party, epoch, kind: copy.kind, where: copy.where }, [
        `This device is ${share.party} for now, with its share of key ${keyId}, epoch ${epoch}.`,
        'When you are done: write the copy anew if the epoch has changed, then `keepset park`.',
      ]);
    });
  } finally {
    share.secret.wipe();
  }
};

const openCopy = async (invocation: Invocation, party: string | undefined): Promise<OpenedCopy> => {
  const { options, terminal } = invocation;
  if (textOption(options, 'from') === undefined && options['keyring'] !== true)
    throw new KeepsetError('input/invalid-argument', 'Say where the copy is: --from COPY.', {
      hint: 'Write it first: `keepset usb create`, `keepset kit`. It is opened with its code before anything else.',
    });
  return openSource(await readSource(invocation), { key: textOption(options, 'key'), party }, terminal);
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
