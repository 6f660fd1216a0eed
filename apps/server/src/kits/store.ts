/** The newest copy on each kit of a tenant. It only goes up. @spec spec/usb-container.md, "Rollback" */
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import type { KitNote, KnownKit } from '@keepset/wire';
import { bytesColumn, inTransaction, integerColumn, type Database } from '../store/database.ts';

/** Kits of all tenants, each seen by its own alone. */
export interface KitStore {
  /**
   * Keeps a note if it is of a later epoch, or of a later generation of the same. The note that is kept may be repeated.
   * @throws KeepsetError `place/stale` (older), `store/conflict` (another copy of the same generation), `place/full`
   */
  note(tenant: string, note: KitNote): KnownKit;
  find(tenant: string, kit: string): KnownKit;
}

/** Many more than one user writes; none is ever dropped, since that would let an older copy pass. */
export const maxKitsPerTenant = 1000;

export const kitStore = (database: Database): KitStore => {
  const read = database.prepare('SELECT epoch, generation, sha256 FROM kits WHERE tenant = ? AND kit = ?');
  const count = database.prepare('SELECT count(*) AS n FROM kits WHERE tenant = ?');
  const write = database.prepare(
    'INSERT OR REPLACE INTO kits (tenant, kit, epoch, generation, sha256) VALUES (?, ?, ?, ?, ?)',
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
    note: (tenant, { kit, epoch, generation, sha256 }) =>
      inTransaction(database, () => {
        const { newest } = find(tenant, kit);
        if (newest === undefined && integerColumn(count.get(tenant) ?? {}, 'n') >= maxKitsPerTenant)
          throw new KeepsetError(
            'place/full',
            `The server keeps notes of ${maxKitsPerTenant} kits of a user.`,
            {
              retry: 'never',
            },
          );
        if (newest !== undefined) {
          const later = epoch - newest.epoch || generation - newest.generation;
          if (later < 0) throw older(newest);
          if (later === 0 && !bytesEqual(sha256, newest.sha256))
            throw new KeepsetError(
              'store/conflict',
              `Another copy of epoch ${epoch}, generation ${generation} was noted for this kit.`,
            );
        }
        write.run(tenant, kit, epoch, generation, sha256);
        return { kit, newest: { epoch, generation, sha256 } };
      }),
  };
};

const older = ({ epoch, generation }: Omit<KitNote, 'kit'>): KeepsetError =>
  new KeepsetError('place/stale', `Epoch ${epoch}, generation ${generation} was noted for this kit already.`);
