/** The newest copy on each kit of a tenant. It only goes up, as long as no device is revoked. @spec spec/usb-container.md, "Rollback" */
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import type { Caller } from '@keepset/ceremony';
import type { KitNote, KnownKit } from '@keepset/wire';
import { revokedDevice } from '../http/authentication.ts';
import { bytesColumn, inTransaction, integerColumn, type Database } from '../store/database.ts';

/** Kits of all tenants, each seen by its own alone. */
export interface KitStore {
  /**
   * Keeps a note if it is of a later epoch, or of a later generation of the same. The note that is kept may be repeated.
   * @throws KeepsetError `place/stale` (older), `store/conflict` (another copy of the same generation), `place/full`,
   * `policy/revoked`
   */
  note(by: Noter, note: KitNote): KnownKit;
  find(tenant: string, kit: string): KnownKit;
}

/** Whose note it is: it goes when the device is revoked. */
type Noter = Pick<Caller, 'tenant' | 'device'>;

/** Many more than one device writes; none is dropped while the device counts, since that would let an older copy pass. */
export const maxKitsPerDevice = 1000;

export const kitStore = (database: Database): KitStore => {
  const read = database.prepare(
    `SELECT epoch, generation, sha256 FROM kits WHERE tenant = ? AND kit = ?
     ORDER BY epoch DESC, generation DESC LIMIT 1`,
  );
  const countOthers = database.prepare(
    'SELECT count(*) AS n FROM kits WHERE tenant = ? AND device = ? AND kit <> ?',
  );
  const isRevoked = database.prepare('SELECT 1 FROM devices WHERE device = ? AND revoked_at IS NOT NULL');
  const write = database.prepare(
    'INSERT OR REPLACE INTO kits (tenant, kit, device, epoch, generation, sha256) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const find = (tenant: string, kit: string): KnownKit => {
    const row = read.get(tenant, kit);
    if (row === undefined) return { kit };
    const newest = {
      epoch: integerColumn(row, 'epoch'),
      generation: integerColumn(row, 'generation'),
      sha256: bytesColumn(row, 'sha256'),
    };
    return { kit, newest };
  };
  return {
    find,
    note: ({ tenant, device }, { kit, epoch, generation, sha256 }) =>
      inTransaction(database, () => {
        // Revoked since its request was let in: what it notes now would stay.
        if (isRevoked.get(device) !== undefined) throw revokedDevice();
        if (integerColumn(countOthers.get(tenant, device, kit) ?? {}, 'n') >= maxKitsPerDevice)
          throw new KeepsetError(
            'place/full',
            `The server keeps notes of ${maxKitsPerDevice} kits of a device.`,
            {
              retry: 'never',
              hint: 'The copy is good, and none need be destroyed for this: only the note is missing by which a newer copy is told from an older one.',
            },
          );
        const { newest } = find(tenant, kit);
        if (newest !== undefined) {
          const later = epoch - newest.epoch || generation - newest.generation;
          if (later < 0) throw older(newest);
          if (later === 0 && !bytesEqual(sha256, newest.sha256))
            throw new KeepsetError(
              'store/conflict',
              `Another copy of epoch ${epoch}, generation ${generation} was noted for this kit.`,
              { hint: 'Destroy neither before the other was tried with `keepset drill`.' },
            );
        }
        write.run(tenant, kit, device, epoch, generation, sha256);
        return { kit, newest: { epoch, generation, sha256 } };
      }),
  };
};

const older = ({ epoch, generation }: Omit<KitNote, 'kit'>): KeepsetError =>
  new KeepsetError('place/stale', `Epoch ${epoch}, generation ${generation} was noted for this kit already.`);
