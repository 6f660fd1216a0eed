/** Taking a copy in a Finder backup into the ledger. */
import { resolve } from 'node:path';
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import type { KeyShare, ShareVault } from '@keepset/ceremony';
import type { BackupShare } from '@keepset/places';
import type { OpenedShare } from '@keepset/wire';
import { currentShare } from '../../home/own-shares.ts';
import { chooseCopy } from '../choose.ts';
import { placeInBackup, refuseEmpty, refuseUnencrypted, type OpenedInBackup } from './copy.ts';
import type { OpenFinderBackup } from './open.ts';
import { readLedger, saveKit, withObservation, type LedgerCopy, type LedgerKit } from '../ledger.ts';
import { openEach } from '../open-each.ts';
import { floorOf } from '../numbers.ts';
import { refuseStale } from '../stale.ts';
import type { Unlocked } from '../unlock.ts';

/** A copy that is in the ledger now. */
export interface AddedCopy {
  readonly kit: string;
  readonly keyId: string;
  readonly party: string;
  readonly epoch: number;
  readonly generation: number;
  /** What it is lost together with. */
  readonly domain: string;
  /** Where it lies in the phone. */
  readonly file: InPhone;
  /** Share files that were left alone, and why. */
  readonly left: readonly (InPhone & { readonly reason: string })[];
}

type InPhone = Pick<BackupShare, 'domain' | 'path'>;

/**
 * Opens the newest copy of this device's share in a backup, and notes it in the ledger; a backup that was noted before
 * is brought up to date. Alters nothing in the backup.
 * @param key key id or its beginning, where the codes open copies of several
 * @throws KeepsetError as {@link OpenFinderBackup}; `input/unsupported` (not encrypted), `place/not-found` (no share
 * file), `place/locked` (the codes open none), `place/foreign` (only shares of others), `place/stale` (an older epoch or
 * generation), `place/damaged`, `input/invalid-argument` (shares of several keys; a backup that was lost).
 */
export const addFinderCopy = async (
  { paths, vault }: Unlocked,
  folder: string,
  key: string | undefined,
  codes: readonly string[],
  open: OpenFinderBackup,
): Promise<AddedCopy> => {
  const path = resolve(folder);
  const content = await open(path);
  refuseUnencrypted(content);
  refuseEmpty(content);
  const found = await openEach(content.shares, codes);
  const chosen = chooseCopy(await ownAmong(vault, found), { key, party: undefined });
  const { share, generation, createdAt } = chosen.opened;
  const own = await vault.open(share.group.keyId);
  try {
    const { seen, kit: at } = await placeInBackup(paths, path, content, chosen, codes);
    if (at === undefined)
      throw new KeepsetError('place/damaged', 'The backup does not say of which phone it is.', {
        hint: 'Let Finder make a new backup of the phone.',
      });
    const ledger = await readLedger(paths);
    const { sha256, ...about } = at;
    const { keyId, epoch } = share.group;
    const kit: LedgerKit = {
      ...takenUp(
        ledger.kits.find((each) => each.kit === about.kit),
        epoch,
      ),
      ...floorOf(ledger, about.kit),
      ...about,
      ...seen,
      keyId,
      position: share.group.parties.indexOf(share.party) + 1,
    };
    const ownGeneration = (await currentShare(paths, keyId))?.generation ?? 0;
    const source = sourceOf(chosen.opened, sha256, own, ownGeneration, ledger.kits);
    const before = kit.copies.find((copy) => bytesEqual(copy.sha256, sha256));
    const copy: LedgerCopy = {
      ...(before ?? { epoch, generation, sha256, createdAt, state: 'written' }),
      source,
    };
    refuseStale({ opened: chosen.opened, noted: { kit, copy }, seen }, own, ownGeneration, false);
    await saveKit(paths, withObservation(kit, copy, { kind: 'opened' }));
    return {
      kit: kit.kit,
      keyId,
      party: share.party,
      epoch,
      generation,
      domain: seen.domain,
      file: { domain: chosen.domain, path: chosen.path },
      left: leftOf(content.shares, found, chosen),
    };
  } finally {
    share.secret.wipe();
    own.secret.wipe();
  }
};

/**
 * What goes on of an entry. One that was lost comes back with a later epoch only: until then whoever has the lost backup
 * has this share, and the entry says so.
 * @throws KeepsetError `input/invalid-argument`
 */
const takenUp = (known: LedgerKit | undefined, epoch: number): Pick<LedgerKit, 'copies'> => {
  const { lostAt, ...kit } = known ?? { copies: [] };
  if (lostAt === undefined || kit.copies.every((copy) => copy.epoch < epoch)) return kit;
  throw new KeepsetError(
    'input/invalid-argument',
    `This backup was noted as lost on ${lostAt.slice(0, 10)}.`,
    {
      hint: 'If it is in your hands again: `keepset health --found KIT`. If this is another one, run `keepset refresh` first, and put the new share on the phone.',
    },
  );
};

/**
 * Generation of the device's own share that a copy was made from: what was noted when it was written, or the present
 * one if it is the same share. Otherwise it was written before a repair.
 */
const sourceOf = (
  { share }: OpenedShare,
  sha256: Uint8Array,
  own: KeyShare,
  ownGeneration: number,
  ledger: readonly LedgerKit[],
): number => {
  if (bytesEqual(share.secret.reveal(), own.secret.reveal())) return ownGeneration;
  const known = ledger.flatMap(({ copies }) => copies).find((copy) => bytesEqual(copy.sha256, sha256));
  return known?.source ?? 0;
};

/** Copies of shares that this device holds; the others are wiped. @throws KeepsetError `place/foreign` if there is none */
const ownAmong = async (
  vault: ShareVault,
  found: readonly OpenedInBackup[],
): Promise<readonly OpenedInBackup[]> => {
  const parties = new Map<string, string>();
  const held = await vault.list();
  for (const keyId of new Set(found.map(({ opened: { share } }) => share.group.keyId)))
    if (held.includes(keyId)) {
      const { party, secret } = await vault.open(keyId);
      secret.wipe();
      parties.set(keyId, party);
    }
  const isOwn = ({ opened: { share } }: OpenedInBackup): boolean =>
    parties.get(share.group.keyId) === share.party;
  const own = found.filter(isOwn);
  for (const copy of found) if (!own.includes(copy)) copy.opened.share.secret.wipe();
  if (own.length > 0) return own;
  throw new KeepsetError(
    'place/foreign',
    `What this code opens is ${found.map(nameOf).join('; ')}, which this device does not hold.`,
    { hint: 'Each device lists the copies of its own shares: run this on the device of that party.' },
  );
};

const nameOf = ({ opened: { share } }: OpenedInBackup): string =>
  `${share.party}’s share of key ${share.group.keyId}`;

const leftOf = (
  shares: readonly BackupShare[],
  found: readonly OpenedInBackup[],
  chosen: OpenedInBackup,
): AddedCopy['left'] =>
  shares.flatMap(({ domain, path }) => {
    if (domain === chosen.domain && path === chosen.path) return [];
    const copy = found.find((each) => each.domain === domain && each.path === path);
    if (copy === undefined) return [{ domain, path, reason: 'this code does not open it' }];
    const isSame = nameOf(copy) === nameOf(chosen);
    return [{ domain, path, reason: isSame ? 'the same share, not newer' : nameOf(copy) }];
  });
