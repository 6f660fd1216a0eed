import { KeepsetError } from '@keepset/bytes';
import {
  settleOpenSessions,
  shareFileVault,
  type DeviceParty,
  type SettledSession,
  type ShareVault,
} from '@keepset/ceremony';
import { openFilePlace, scryptInThreadPool } from '@keepset/places';
import type { KitNotes, Traffic } from '@keepset/transport';
import { openingKeyOf, signerOf, wipeIdentity, type DeviceIdentity } from '@keepset/wire';
import type { OptionValues } from '../command.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { loadAccount, type Account } from './account.ts';
import { fileBans } from './bans.ts';
import { readIfThere } from './files.ts';
import { fileJournal } from './journal.ts';
import { fileLock } from './lock.ts';
import { fileLogPin } from './log-pin.ts';
import { filePresignatures } from './presignatures.ts';
import { openIdentityFile } from './passphrase.ts';
import { homePaths, type HomePaths } from './paths.ts';
import { openServer } from './server.ts';
import type { ServerKnowledge } from '../places/behind.ts';
import { noteCopies } from '../places/kits-at-server.ts';
import { lastSource } from '../places/numbers.ts';
import { continueRenewals } from '../places/rewrite.ts';
import type { Unlocked } from '../places/unlock.ts';

/** An unlocked device. */
export interface OpenDevice {
  readonly account: Account;
  readonly device: DeviceParty;
  /** age recipient of the shares on this device. */
  readonly recipient: string;
  /** What the copies of its shares need. */
  readonly unlocked: Unlocked;
  readonly kits: KitNotes & ServerKnowledge;
  readonly traffic: () => Traffic;
  /** Wipes the keys and closes connections. */
  readonly close: () => void;
}

/**
 * Unlocks the device of the home folder.
 * @throws KeepsetError `input/not-enrolled`, `input/wrong-passphrase` or of family `place/`
 */
export const openDevice = async (options: OptionValues, terminal: Terminal): Promise<OpenDevice> => {
  const paths = homePaths(options);
  const account = await loadAccount(paths.account);
  const identity = await unlockIdentity(paths, options, terminal);
  const { transport, close } = openServer(account, identity);
  const lock = fileLock(paths.lock);
  const signer = signerOf(identity);
  const device: DeviceParty = {
    party: account.party,
    serverParty: account.serverParty,
    account: { tenant: account.tenant, device: account.device },
    logKey: account.logKey,
    transport,
    vault: await openVault(paths, identity),
    journal: fileJournal(paths.journal),
    presignatures: filePresignatures({
      folder: paths.presignatures,
      recipient: identity.recipient,
      openingKey: openingKeyOf(identity),
      onDamaged: (path) => terminal.note(`A presignature was damaged and is thrown away: ${path}`),
    }),
    bans: fileBans(paths.bans),
    logPin: fileLogPin(paths.logPin, lock),
    exclusively: lock,
    scrypt: scryptInThreadPool,
    onProgress: (progress) => terminal.progress(progress),
  };
  return {
    account,
    device,
    recipient: identity.recipient,
    unlocked: { paths, vault: device.vault, signer, server: () => Promise.resolve(transport) },
    kits: transport,
    traffic: transport.traffic,
    close: () => {
      close();
      wipeIdentity(identity);
    },
  };
};

/** The device's own keys. Wipe them. @throws KeepsetError `input/wrong-passphrase` or of family `place/` */
export const unlockIdentity = async (
  paths: HomePaths,
  options: OptionValues,
  terminal: Terminal,
): Promise<DeviceIdentity> => {
  const file = await readIfThere(paths.identity);
  if (file === undefined)
    throw new KeepsetError('place/not-found', `The device's keys are missing: ${paths.identity}.`);
  return openIdentityFile(file, options, terminal);
};

/** The device's shares. */
export const openVault = async (paths: HomePaths, identity: DeviceIdentity): Promise<ShareVault> =>
  shareFileVault({
    place: await openFilePlace(paths.shares),
    recipient: identity.recipient,
    openingKey: openingKeyOf(identity),
    signer: signerOf(identity),
    now: () => new Date().toISOString(),
    lastGeneration: lastSource(paths),
  });

/**
 * Opens the device, settles what was cut off earlier and goes on rewriting its copies, runs `work`, tells the server of
 * new copies, and closes.
 */
export const withDevice = async <T>(
  options: OptionValues,
  terminal: Terminal,
  work: (open: OpenDevice) => Promise<T>,
): Promise<T> => {
  const open = await openDevice(options, terminal);
  try {
    await settle(open.device, terminal, 'An earlier');
    await continueRenewals(open.unlocked, terminal);
    const done = await work(open);
    await noteCopies(open.unlocked.paths, () => Promise.resolve(open.kits), terminal);
    return done;
  } finally {
    open.close();
  }
};

/** Settles what was cut off and says what became of it. @param which how the sentence names it: `An earlier`, `This` */
export const settle = async (device: DeviceParty, terminal: Terminal, which: string): Promise<void> => {
  for (const settled of await settleOpenSessions(device)) terminal.note(describe(settled, which));
};

/** A ceremony that fails late may have been committed all the same: that is found out and said at once. */
export const orSettle = async <T>(
  device: DeviceParty,
  terminal: Terminal,
  work: () => Promise<T>,
): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    await settle(device, terminal, 'This');
    throw error;
  }
};

const names: Readonly<Record<SettledSession['kind'], string>> = {
  keygen: 'key generation',
  refresh: 'refresh',
  reshare: 'reshare',
  repair: 'repair',
};

const describe = ({ kind, keyId, outcome, error }: SettledSession, which: string): string => {
  const what = `${which} ${names[kind]} (${keyId}) was cut off.`;
  if (outcome === 'completed')
    return `${what} The server had committed it: ${kind === 'keygen' ? 'the key is complete and can be used' : 'the new share is in place'}.`;
  if (outcome === 'void')
    return kind === 'keygen'
      ? `${what} The server never committed it: neither side holds the key. Run \`keepset keygen\` again.`
      : `${what} The server never committed it: the old share is still the valid one.`;
  return `${what} Its outcome is not known yet: ${error?.message ?? 'No answer.'} The next command that reaches the server settles it.`;
};
