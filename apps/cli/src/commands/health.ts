import { KeepsetError, exitCodes, toKeepsetError } from '@keepset/bytes';
import type { Command, OptionValues } from '../command.ts';
import { textOption } from '../command.ts';
import { findKeyId, shareDamage, shareDamageLines } from '../home/keys.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';
import { healthOfKey, type KeyHealth } from '../places/health/health.ts';
import { damagedLines, goneHint, healthLines } from '../places/health/lines.ts';
import { findKit, noteLost, readLedger, type Ledger, type LedgerKit } from '../places/ledger.ts';
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
      const { paths, vault } = unlocked;
      const keyIds = key === undefined ? await vault.list() : [await findKeyId(vault, key)];
      const keys: (KeyHealth | DamagedShare)[] = [];
      for (const keyId of keyIds) {
        const error = await shareDamage(vault, keyId);
        keys.push(error === undefined ? await healthOfKey(unlocked, keyId) : { keyId, error });
      }
      const { damaged } = await readLedger(paths);
      const blocks = [...keys.map(linesOf), damagedLines(damaged)].filter((lines) => lines.length > 0);
      terminal.result({ keys: keys.map(asJson), damagedEntries: damaged }, [
        ...(keys.length === 0 ? ['No keys yet. Make one with `keepset keygen`.'] : []),
        ...blocks.flatMap((lines, at) => [...(at === 0 ? [] : ['']), ...lines]),
      ]);
      const isSound = keys.every((each) => !('error' in each) && each.protection.isProtected);
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
  const kit = findNamed(named, await readLedger(paths), lost !== undefined);
  const keyId = await findKeyId(vault, kit.keyId);
  await noteLost(paths, kit, lost !== undefined);
  terminal.note(
    lost === undefined
      ? `Noted: ${kit.kit} is found. If somebody else may have had it, run \`keepset refresh\`.`
      : `Noted: ${kit.kit} is lost. If you have it again: keepset health --found ${kit.kit.slice(0, 6)}`,
  );
  return keyId;
};

/** @throws KeepsetError as {@link findKit}, which for a copy that is lost has another way out than its code. */
const findNamed = (named: string, ledger: Ledger, isLost: boolean): LedgerKit => {
  try {
    return findKit(named, ledger);
  } catch (thrown) {
    const { code, message } = toKeepsetError(thrown);
    if (code !== 'place/damaged' || !isLost) throw thrown;
    throw new KeepsetError(code, message, { hint: goneHint, cause: thrown });
  }
};

/** A key of which this device's share cannot be opened: nothing can be said of its copies. */
interface DamagedShare {
  readonly keyId: string;
  readonly error: KeepsetError;
}

const linesOf = (key: KeyHealth | DamagedShare): readonly string[] =>
  'error' in key
    ? [`Key ${key.keyId}`, '  NOT PROTECTED: damaged on this device.', ...shareDamageLines(key.error.message)]
    : healthLines(key);

const asJson = (key: KeyHealth | DamagedShare): Readonly<Record<string, unknown>> =>
  'error' in key
    ? { keyId: key.keyId, protected: false, error: { code: key.error.code, message: key.error.message } }
    : healthAsJson(key);

const healthAsJson = ({
  group,
  party,
  copies,
  protection,
}: KeyHealth): Readonly<Record<string, unknown>> => ({
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
