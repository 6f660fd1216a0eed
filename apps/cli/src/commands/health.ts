import { exitCodes } from '@keepset/bytes';
import type { Command } from '../command.ts';
import { textOption } from '../command.ts';
import { findKeyId } from '../home/keys.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';
import { healthOfKey, type KeyHealth } from '../places/health.ts';
import { healthLines } from '../places/health-lines.ts';
import { withUnlocked } from '../places/unlock.ts';

export const health: Command = {
  name: 'health',
  summary: 'Show which copies of this device’s shares were tested, and whether keys are protected',
  usage: '[--key KEY] [--strict]',
  positionals: [0, 0],
  options: {
    key: { type: 'string', value: 'KEY', help: 'Key id or its beginning (default: all keys)' },
    strict: { type: 'boolean', help: `End with exit code ${exitCodes.policy} unless every key is protected` },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: ['keepset health', 'keepset health --key 4osh --json', 'keepset health --strict'],
  run: ({ options, terminal }) =>
    withUnlocked(options, terminal, async (unlocked) => {
      const key = textOption(options, 'key');
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
