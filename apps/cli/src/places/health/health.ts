/** The health of a key's copies on this device: what the ledger remembers, and what a look at the places shows. */
import type { GroupKey } from '@keepset/ceremony';
import {
  copyState,
  protectionOf,
  type CopyRecord,
  type CopyState,
  type Protection,
  type Reach,
  type Sharing,
} from '@keepset/places';
import { currentShare } from '../../home/own-shares.ts';
import { lookAtPasskey } from '../../passkey/way.ts';
import { evidenceOf, kindOf, loadLedger, newestWritten, usualDomain, type LedgerKit } from '../ledger.ts';
import { copyFolder, lookAt } from '../look.ts';
import type { Unlocked } from '../unlock.ts';

/** Everything that is said of a key. */
export interface KeyHealth {
  readonly group: GroupKey;
  readonly party: string;
  readonly copies: readonly ListedCopy[];
  readonly protection: Protection;
}

/** A copy with where it was last seen. */
export interface ListedCopy extends CopyState {
  readonly path?: string;
  readonly passkey?: PasskeyState;
}

/** What is said of a copy's passkey. It is a way to the copy and no copy: it counts for nothing by itself. */
export type PasskeyState = Pick<CopyState, 'proof' | 'provedAt' | 'due' | 'reach'>;

/**
 * Opens the device's own share, looks at every place that can be reached, and judges. Alters nothing. Lost copies are
 * listed until the epoch has advanced.
 * @param look how to look at a place; `unlooked` goes by what is remembered alone.
 * @throws KeepsetError as `ShareVault.open`, and `place/damaged` for the ledger.
 */
export const healthOfKey = async (
  { paths, vault }: Pick<Unlocked, 'paths' | 'vault'>,
  keyId: string,
  look: typeof lookAt = lookAt,
): Promise<KeyHealth> => {
  const share = await vault.open(keyId);
  share.secret.wipe();
  const { group, party } = share;
  const now = new Date().toISOString();
  const own = await currentShare(paths, keyId);
  const generation = own?.generation ?? 0;
  const current: Sharing = { epoch: group.epoch, source: generation };
  const home: CopyRecord = {
    id: 'home',
    kind: 'file',
    domain: `device:${party}`,
    ...current,
    generation,
    // It was opened a moment ago.
    writtenAt: now,
    readBackAt: now,
    openedAt: now,
  };
  const ledger = await loadLedger(paths);
  const copies: ListedCopy[] = [
    { ...copyState(home, current, { status: 'intact' }, now), path: paths.shares },
  ];
  for (const kit of ledger.filter((each) => each.keyId === keyId)) {
    // Of what is lost, nothing that is seen where it was says where it is.
    const reach = await (kit.lostAt === undefined ? look : unlooked)(kit, ledger);
    const state = copyState(recordOf(kit), current, reach, now);
    if (kit.lostAt !== undefined && state.stale === 'epoch') continue;
    copies.push({
      ...state,
      ...(kit.path === undefined ? {} : { path: kit.path }),
      ...(await passkeyOf(kit, reach, now)),
    });
  }
  return { group, party, copies, protection: protectionOf({ policy: group.policy, party }, copies) };
};

/** Its steps are its own: what the code proved says nothing of the passkey, and the other way round. */
const passkeyOf = async (
  { kit, path, passkey }: LedgerKit,
  copy: Reach,
  now: string,
): Promise<Pick<ListedCopy, 'passkey'>> => {
  if (passkey === undefined || path === undefined) return {};
  const isThere = copy.status === 'intact' || copy.status === 'damaged';
  const found = isThere ? await lookAtPasskey(copyFolder(path, kit), passkey) : copy;
  const { readBackAt, openedAt } = passkey;
  const record: CopyRecord = {
    id: kit,
    kind: 'passkey',
    domain: '',
    epoch: 0,
    generation: 0,
    writtenAt: readBackAt,
    readBackAt,
    ...(openedAt === undefined ? {} : { openedAt }),
  };
  const { proof, provedAt, due, reach } = copyState(record, { epoch: 0 }, found, now);
  return { passkey: { proof, due, reach, ...(provedAt === undefined ? {} : { provedAt }) } };
};

/** For lists of keys: what the ledger remembers is enough there. */
export const unlooked: typeof lookAt = () => Promise.resolve({ status: 'unseen' });

/** A kit's newest copy that was written; one that was only intended was never written. */
export const recordOf = (kit: LedgerKit): CopyRecord => {
  const copy = newestWritten(kit) ?? kit.copies.at(-1);
  return {
    id: kit.kit,
    kind: kindOf(kit),
    domain: kit.domain ?? usualDomain(kit),
    epoch: copy?.epoch ?? 0,
    generation: copy?.generation ?? 0,
    ...(kit.lostAt === undefined ? {} : { lostAt: kit.lostAt }),
    ...(copy?.source === undefined ? {} : { source: copy.source }),
    ...(copy === undefined ? {} : evidenceOf(copy)),
  };
};
