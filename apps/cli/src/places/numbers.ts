/**
 * Numbers of copies. None is given twice, though an entry of the ledger that knew it cannot be read.
 * @spec spec/health.md §5
 */
import type { HomePaths } from '../home/paths.ts';
import { readLedger, type Ledger, type LedgerKit } from './ledger.ts';

/** The number of a key's next copy, counted over everything it was ever written to. */
export const nextGeneration = ({ kits, damaged }: Ledger, keyId: string): number =>
  1 +
  Math.max(
    damaged.length === 0 ? 0 : aboveAll(),
    ...kits.flatMap((kit) =>
      kit.keyId === keyId ? [kit.floor ?? 0, ...kit.copies.map(({ generation }) => generation)] : [],
    ),
  );

/**
 * What an entry keeps that is written anew in place of one that cannot be read: the numbers which that one knew are not
 * given again.
 */
export const floorOf = ({ damaged }: Ledger, kit: string): Pick<LedgerKit, 'floor'> =>
  damaged.some((entry) => entry.kit === kit) ? { floor: aboveAll() } : {};

/**
 * The highest generation of the device's own share that a copy was made from, for `VaultOptions.lastGeneration`; where
 * that cannot be known, a number above it.
 */
export const lastSource =
  (paths: HomePaths) =>
  async (keyId: string): Promise<number> => {
    const { kits, damaged } = await readLedger(paths);
    return Math.max(
      damaged.length === 0 ? 0 : aboveAll(),
      ...kits.flatMap((kit) => (kit.keyId === keyId ? kit.copies.map(({ source = 0 }) => source) : [])),
    );
  };

/**
 * A number above all that were ever given: the milliseconds since 1970. Numbers are counted from 1, or on from an earlier
 * such number, and no device writes a copy each millisecond. The server would not do instead: it knows of each kit the
 * newest copy that it was told of, and copies are written without it.
 */
const aboveAll = (): number => Date.now();
