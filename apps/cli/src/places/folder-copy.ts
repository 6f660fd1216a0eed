/** A copy in a plain folder, such as one that a cloud drive synchronises, or in the desktop's keyring. */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import type { KeyShare } from '@keepset/ceremony';
import { newKitId, nodeFileSystem, openFilePlace, type SharePlace } from '@keepset/places';
import { generateIdentity, openingKeyOf, wipeIdentity, type DeviceIdentity } from '@keepset/wire';
import { findKeyId } from '../home/keys.ts';
import { removePasskey, writePasskey, type PasskeyFiles } from '../passkey/way.ts';

import { keyringKitOf } from './keyring-copy.ts';
import {
  readLedger,
  usualDomain,
  saveKit,
  withCopy,
  withObservation,
  type LedgerCopy,
  type LedgerKit,
} from './ledger.ts';
import { copyFolder, domainOfFolder, placeOf, sealedFiles } from './look.ts';
import { nextGeneration } from './numbers.ts';
import { checkCodeOutput, encodeCopy, writeCodeSheet, type CodeOutput } from './sealed-copy.ts';
import type { Unlocked } from './unlock.ts';

/** Where a copy goes: a folder, by whom it is synchronised if by anybody; without a folder, the keyring. */
export interface CopyTarget {
  readonly folder: string | undefined;
  readonly cloud: string | undefined;
}

/** A copy that was written and read back. */
export interface WrittenCopy {
  readonly kit: string;
  readonly keyId: string;
  readonly epoch: number;
  readonly generation: number;
  readonly domain: string;
  /** Whether a passkey opens its code as well. */
  readonly passkey: boolean;
  /** Only where it was asked for. */
  readonly code?: string;
}

/**
 * Writes the share, sealed to a new recovery code, and reads it back.
 * @param seal seals the code of a new kit to a passkey as well; what it throws comes before anything is written.
 * @throws KeepsetError `place/foreign` (the code sheet would lie in the folder), `place/unreachable` (no such folder),
 * `input/invalid-argument`, `place/exists`, and those of the places.
 */
export const createCopy = async (
  unlocked: Unlocked,
  { folder, cloud }: CopyTarget,
  key: string | undefined,
  output: CodeOutput,
  seal?: (code: string, kit: string) => Promise<PasskeyFiles>,
): Promise<WrittenCopy> => {
  const path = folder === undefined ? undefined : resolve(folder);
  const { sheet } = output;
  if (path !== undefined) await refuseFolder(path, sheet);
  await checkCodeOutput(output, 'copy');
  const wanted = await findKeyId(unlocked.vault, key);
  const identity = await generateIdentity();
  const kit = path === undefined ? keyringKitOf(identity.recipient) : newKitId();
  try {
    // Before the share is opened: the user may take minutes.
    const passkey = await seal?.(openingKeyOf(identity), kit);
    return await writeFirst(unlocked, { kit, path, cloud, passkey }, wanted, identity, output);
  } finally {
    wipeIdentity(identity);
  }
};

/** What is made, and where. */
interface NewCopy {
  readonly kit: string;
  readonly path: string | undefined;
  readonly cloud: string | undefined;
  readonly passkey: PasskeyFiles | undefined;
}

const writeFirst = async (
  unlocked: Unlocked,
  { kit: id, path, cloud, passkey }: NewCopy,
  wanted: string,
  identity: DeviceIdentity,
  { sheet, paper, show }: CodeOutput,
): Promise<WrittenCopy> => {
  const { paths, vault } = unlocked;
  const share = await vault.open(wanted);
  try {
    const { keyId, parties, epoch } = share.group;
    const domain = await domainOf(path, cloud, paths.root, share.party);
    const kit: LedgerKit = {
      kind: path === undefined ? 'keyring' : 'folder',
      kit: id,
      keyId,
      position: parties.indexOf(share.party) + 1,
      recipient: identity.recipient,
      ...(path === undefined ? {} : { path }),
      domain,
      copies: [],
    };
    const generation = nextGeneration(await readLedger(paths), keyId);
    const { copy, bytes } = await encodeCopy(unlocked, share, generation, kit.recipient);
    const code = openingKeyOf(identity);
    const file =
      path === undefined
        ? { name: 'share.age', where: 'in the keyring' }
        : { name: `${keyId}.*.age`, where: `in the folder keepset-${id}` };
    if (sheet !== undefined) await writeCodeSheet(sheet, paper, kit, copy, code, file);
    try {
      const place = await newPlaceOf(kit);
      const beside =
        passkey === undefined || path === undefined
          ? {}
          : { passkey: await writePasskey(copyFolder(path, id), passkey) };
      await write(unlocked, { ...kit, ...beside }, place, copy, bytes);
    } catch (error) {
      if (sheet !== undefined) await rm(sheet, { force: true });
      if (path !== undefined) await removePasskey(copyFolder(path, id));
      throw error;
    }
    const hasPasskey = passkey !== undefined;
    return { kit: id, keyId, epoch, generation, domain, passkey: hasPasskey, ...(show ? { code } : {}) };
  } finally {
    share.secret.wipe();
  }
};

/**
 * Writes the share over the older copy in its place, under the code it has, and removes copies of older epochs.
 * @throws KeepsetError as `placeOf`, and those of the places.
 */
export const renewCopy = async (
  unlocked: Pick<Unlocked, 'paths' | 'signer'>,
  kit: LedgerKit,
  share: KeyShare,
): Promise<LedgerCopy> => {
  const place = await placeOf(kit);
  const generation = nextGeneration(await readLedger(unlocked.paths), kit.keyId);
  const { copy, bytes } = await encodeCopy(unlocked, share, generation, kit.recipient);
  return write(unlocked, kit, place, copy, bytes);
};

const write = async (
  { paths }: Pick<Unlocked, 'paths'>,
  kit: LedgerKit,
  place: SharePlace,
  copy: LedgerCopy,
  bytes: Uint8Array,
): Promise<LedgerCopy> => {
  const { keyId } = kit;
  const { epoch, generation } = copy;
  const before = await place.get({ keyId, epoch });
  if (before !== null && !isOf(kit, before.bytes))
    throw new KeepsetError('place/exists', 'Another copy of this key lies there already.', {
      hint: 'A keyring holds one copy of a key; `keepset backup --again` renews it. Use another place.',
    });
  await saveKit(paths, withCopy(kit, copy));
  await place.put({ keyId, epoch }, bytes, { generation });
  const found = await place.get({ keyId, epoch });
  if (found === null || !bytesEqual(found.bytes, bytes))
    throw new KeepsetError('place/damaged', 'The copy does not read back as it was written.');
  // Before it is noted that this copy is done: whoever is cut off here begins again.
  for (const entry of await place.list())
    if (entry.keyId === keyId && entry.epoch < epoch && isOf(kit, (await place.get(entry))?.bytes))
      await place.remove(entry);
  await saveKit(paths, withObservation(kit, copy, { kind: 'read', afresh: false }));
  return copy;
};

/** Whether the bytes were written for this kit: a keyring may hold copies of other devices on this computer. */
const isOf = ({ copies }: LedgerKit, bytes: Uint8Array | undefined): boolean => {
  if (bytes === undefined) return false;
  const hash = createHash('sha256').update(bytes).digest();
  return copies.some(({ sha256 }) => bytesEqual(sha256, hash));
};

const newPlaceOf = (kit: LedgerKit): Promise<SharePlace> =>
  kit.path === undefined ? placeOf(kit) : openFilePlace(copyFolder(kit.path, kit.kit), sealedFiles);

const refuseFolder = async (path: string, sheet: string | undefined): Promise<void> => {
  if ((await nodeFileSystem.facts(path))?.kind !== 'folder')
    throw new KeepsetError('place/unreachable', `There is no folder ${path}.`, {
      hint: 'Give the folder that the cloud drive synchronises, or one on another disk.',
    });
  if (sheet !== undefined && `${resolve(sheet)}${sep}`.startsWith(`${path}${sep}`))
    throw new KeepsetError('place/foreign', `${sheet} would lie beside the copy it opens.`, {
      hint: 'Write the code sheet elsewhere, print it and delete it; or use --show-code.',
    });
};

const domainOf = async (
  path: string | undefined,
  cloud: string | undefined,
  home: string,
  party: string,
): Promise<string> => {
  if (path === undefined) return `device:${party}`;
  return cloud === undefined
    ? domainOfFolder(path, home, party, usualDomain({ kind: 'folder', kit: '' }))
    : `account:${cloud}`;
};
