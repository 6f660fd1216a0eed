import { toHex, toKeepsetError, type KeepsetError } from '@keepset/bytes';
import type { DeviceParty } from '@keepset/ceremony';
import type { KeySummary } from '@keepset/wire';
import type { Command } from '../command.ts';
import { withDevice } from '../home/device.ts';
import { shareDamage, shareDamageLines } from '../home/keys.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions, homePaths, type HomePaths } from '../home/paths.ts';
import { healthOfKey, unlooked } from '../places/health/health.ts';
import { damagedLines } from '../places/health/lines.ts';
import { readLedger } from '../places/ledger.ts';
import { standingOf } from '../policy/standing.ts';

/** How a key stands on the two sides. */
type KeyState =
  | 'usable'
  | 'frozen'
  | 'unchecked'
  | 'only on this device'
  | 'only on the server'
  | 'other epoch on the server'
  | 'damaged on this device';

/** The public facts are absent where the share is damaged and the server does not know the key. */
interface KeyLine {
  readonly keyId: string;
  readonly scheme?: string;
  readonly policy?: string;
  readonly epoch?: number;
  readonly publicKey?: string;
  readonly state: KeyState;
  /** Why the share cannot be opened. */
  readonly error?: { readonly code: string; readonly message: string };
  /** Said of keys of which this device holds a share. */
  readonly credibleMinimum?: boolean;
  /** Whether copies of this device's share were tested; absent where it holds none. */
  readonly protected?: boolean;
}

export const keys: Command = {
  name: 'keys',
  summary: 'List the keys of this device and how they stand on both sides',
  usage: '',
  positionals: [0, 0],
  options: { ...passphraseOptions, ...homeOptions },
  examples: ['keepset keys', 'keepset keys --json'],
  run: ({ options, terminal }) =>
    withDevice(options, terminal, async ({ device }) => {
      const remote = await askServer(device);
      if (!Array.isArray(remote))
        terminal.note(`The server could not be asked: ${(remote as KeepsetError).message}`);
      const paths = homePaths(options);
      const lines = await compare(device, paths, Array.isArray(remote) ? remote : undefined);
      const { damaged } = await readLedger(paths);
      terminal.result({ keys: lines, damagedEntries: damaged }, [
        ...(lines.length === 0 ? ['No keys yet. Make one with `keepset keygen`.'] : lines.flatMap(print)),
        ...(damaged.length === 0 ? [] : ['', ...damagedLines(damaged)]),
      ]);
    }),
};

const askServer = async (device: DeviceParty): Promise<readonly KeySummary[] | KeepsetError> => {
  try {
    return await device.transport.keys();
  } catch (error) {
    return toKeepsetError(error);
  }
};

const compare = async (
  device: DeviceParty,
  paths: HomePaths,
  remote: readonly KeySummary[] | undefined,
): Promise<KeyLine[]> => {
  const lines: KeyLine[] = [];
  const local = await device.vault.list();
  for (const keyId of local) {
    const summary = remote?.find((key) => key.keyId === keyId);
    const error = await shareDamage(device.vault, keyId);
    if (error !== undefined) {
      lines.push({
        keyId,
        ...(summary === undefined ? {} : factsOf(summary)),
        state: 'damaged on this device',
        error: { code: error.code, message: error.message },
      });
      continue;
    }
    const { group, protection } = await healthOfKey({ paths, vault: device.vault }, keyId, unlooked);
    const state = stateOf(group.epoch, summary, remote !== undefined);
    lines.push({
      keyId,
      scheme: group.scheme,
      policy: group.policy,
      epoch: group.epoch,
      publicKey: toHex(group.publicKey),
      state,
      credibleMinimum: standingOf(group.policy).data.credibleMinimum,
      protected: protection.isProtected,
    });
  }
  for (const key of remote ?? [])
    if (!local.includes(key.keyId))
      lines.push({ keyId: key.keyId, ...factsOf(key), state: 'only on the server' });
  return lines;
};

const factsOf = ({
  scheme,
  policy,
  epoch,
  publicKey,
}: KeySummary): Pick<KeyLine, 'scheme' | 'policy' | 'epoch' | 'publicKey'> => ({
  scheme,
  policy,
  epoch,
  publicKey: toHex(publicKey),
});

const stateOf = (epoch: number, remote: KeySummary | undefined, asked: boolean): KeyState => {
  if (!asked) return 'unchecked';
  if (remote === undefined) return 'only on this device';
  if (remote.epoch !== epoch) return 'other epoch on the server';
  return remote.state === 'frozen' ? 'frozen' : 'usable';
};

const print = ({ keyId, scheme, policy, epoch, state, error, ...about }: KeyLine): string[] => [
  keyId,
  scheme === undefined ? `  ${state}` : `  ${scheme}, ${policy}, epoch ${epoch}: ${state}`,
  ...(error === undefined ? [] : shareDamageLines(error.message)),
  ...(about.credibleMinimum === false ? ['  below the credible minimum: see `keepset show`'] : []),
  ...(about.protected === false ? ['  not protected yet: `keepset health` says what is missing'] : []),
];
