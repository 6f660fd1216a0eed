import { KeepsetError, exitCodes } from '@keepset/bytes';
import type { Command, OptionValues } from '../command.ts';
import { textOption } from '../command.ts';
import { findKeyId } from '../home/keys.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';
import { healthOfKey, type KeyHealth } from '../places/health/health.ts';
import { healthLines } from '../places/health/lines.ts';
import { findKit, loadLedger, noteLost } from '../places/ledger.ts';
import { withUnlocked, type Unlocked } from '../places/unlock.ts';
import type { Terminal } from '../terminal/terminal.ts';

export const health: Command = {
  name: 'health',
  summary: 'Show which copies of this device’s shares were tested, and whether keys are protected',
  usage: '[--key KEY | --lost KIT | --found KIT] [--strict]',
  positionals: [0, 0],
  options: {
    key: { type: 'string', value: 'KEY', help: 'Key id or its beginning (default: all keys)' },
    lost: { type: 'string', value: 'KIT', help: 'Note first that this copy is lost: it counts no more' },
    found: { type: 'string', value: 'KIT', help: 'Note first that a lost copy is in your hands again' },
    strict: { type: 'boolean', help: `End with exit code ${exitCodes.policy} unless every key is protected` },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    'keepset health',
    'keepset health --key 4osh --json',
    'keepset health --lost a4dq',
    'keepset health --strict',
  ],
  run: ({ options, terminal }) =>
    withUnlocked(options, terminal, async (unlocked) => {
      const key = (await noteLoss(unlocked, options, terminal)) ?? textOption(options, 'key');
      const keyIds = key === undefined ? await unlocked.vault.list() : [await findKeyId(unlocked.vault, key)];
      const keys: KeyHealth[] = [];
      for (const keyId of keyIds) keys.push(await healthOfKey(unlocked, keyId));
      terminal.result(
        { keys: keys.map(asJson) },
        keys.length === 0
          ? ['No keys yet. Make one with `keepset keygen`.']
          : keys.flatMap((each, at) => [...(at === 0 ? [] : ['']), ...healthLines(each)]),
      );
      const isSound = keys.every(({ protection }) => protection.isProtected);
      return options['strict'] === true && !isSound ? exitCodes.policy : 0;
    }),
};

/** @returns the key whose copy was lost or found, if one was named */
const noteLoss = async (
  { paths, vault }: Unlocked,
  options: OptionValues,
  terminal: Terminal,
): Promise<string | undefined> => {
  const [lost, found] = [textOption(options, 'lost'), textOption(options, 'found')];
  const named = lost ?? found;
  if (named === undefined) return undefined;
  if ([lost, found, textOption(options, 'key')].filter((each) => each !== undefined).length > 1)
    throw new KeepsetError('input/invalid-argument', 'Use one of --lost, --found and --key.');
  const kit = findKit(named, await loadLedger(paths));
  const keyId = await findKeyId(vault, kit.keyId);
  await noteLost(paths, kit, lost !== undefined);
  terminal.note(
    lost === undefined
      ? `Noted: ${kit.kit} is found. If somebody else may have had it, run \`keepset refresh\`.`
      : `Noted: ${kit.kit} is lost. If you have it again: keepset health --found ${kit.kit.slice(0, 6)}`,
  );
  return keyId;
};

const asJson = ({ group, party, copies, protection }: KeyHealth): Readonly<Record<string, unknown>> => ({
  keyId: group.keyId,
  scheme: group.scheme,
  policy: group.policy,
  epoch: group.epoch,
  party,
  protected: protection.isProtected,
  places: protection.places,
  shortfalls: protection.shortfalls,
  needed: protection.needed,
  copies,
});
