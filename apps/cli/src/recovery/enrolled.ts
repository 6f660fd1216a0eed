/** Making sure that this computer is a device of the right party before a share is put on it. */
import { KeepsetError } from '@keepset/bytes';
import type { Invocation } from '../command.ts';
import { textOption } from '../command.ts';
import { loadAccount } from '../home/account.ts';
import { claimHome, enrolHome, refuseForeign } from '../home/enrol.ts';
import { readIfThere } from '../home/files.ts';
import { obtainNewPassphrase } from '../home/passphrase.ts';
import type { HomePaths } from '../home/paths.ts';

/**
 * What enrolment would do, for the announcement; undefined if the device is enrolled as that party.
 * @throws KeepsetError `place/foreign`, `input/not-enrolled`
 */
export const enrolmentStep = async (
  { options }: Invocation,
  paths: HomePaths,
  party: string,
  keyId?: string,
): Promise<string | undefined> => {
  await refuseForeign(paths.root);
  if ((await readIfThere(paths.account)) !== undefined) {
    const account = await loadAccount(paths.account);
    if (account.party === party) return undefined;
    throw new KeepsetError(
      'place/foreign',
      `This is ${party}’s share; the device in ${paths.root} is ${account.party}.`,
      { hint: `Recover it in a folder of its own: --home DIR --invite URL. It becomes ${party} there.` },
    );
  }
  if (textOption(options, 'invite') !== undefined)
    return `enrol this computer as ${party}, with new keys, in ${paths.root}`;
  throw new KeepsetError('input/not-enrolled', 'This computer is no device of the server yet.', {
    hint: `Give --invite URL: on the server \`keepset invite --key ${keyId ?? 'KEY'}\`, or on another device of yours \`keepset add-device\`.`,
  });
};

/**
 * Enrols this computer as `party` if it is not yet. A repeat with a spent invitation does nothing.
 * @throws KeepsetError as `enrolHome`
 */
export const ensureEnrolled = async (
  { options, terminal }: Invocation,
  paths: HomePaths,
  party: string,
): Promise<void> => {
  // Somebody was asked since the home was looked at: another user may have made one with an account.
  await claimHome(paths.root);
  if ((await readIfThere(paths.account)) !== undefined) return;
  const passphrase =
    options['passphrase'] === true ? await obtainNewPassphrase(options, terminal) : undefined;
  await enrolHome(paths, textOption(options, 'invite') ?? '', party, passphrase);
  if (passphrase === undefined)
    terminal.note(
      'note: this device’s keys lie in its folder without a passphrase (`--passphrase` sets one).',
    );
};
