/**
 * Numbers of copies. None is given twice, though an entry of the ledger that knew it cannot be read.
 * @spec spec/health.md §5
 */
import type { HomePaths } from '../home/paths.ts';
import { KeepsetError } from '@keepset/bytes';
import { readLedger, type DamagedEntry, type Ledger, type LedgerKit } from './ledger.ts';

/**
 * The number of a key's next copy, counted over everything it was ever written to. What no device can have counted to was
 * forged, and does not count: it would leave no number for the next copy.
 */
export const nextGeneration = ({ kits, damaged }: Ledger, keyId: string): number => {
  const given = kits.flatMap((kit) =>
    kit.keyId === keyId ? [kit.floor ?? 0, ...kit.copies.map(({ generation }) => generation)] : [],
  );
  const limit = aboveAll() + decadeMs;
  const start = damaged.length === 0 ? 0 : aboveAll();
  return 1 + Math.max(start, ...given.filter((generation) => generation <= limit));
};

/** By more than that no clock is wrong, one hopes. */
const decadeMs = 10 * 365 * 24 * 60 * 60 * 1000;

/**
 * What an entry keeps that is written anew in place of one that cannot be read: the numbers which that one knew are not
 * given again.
 * @throws KeepsetError `place/damaged` where it may come back by itself, with what it knows
 */
export const floorOf = ({ damaged }: Ledger, kit: string): Pick<LedgerKit, 'floor'> => {
  const entry = damaged.find((each) => each.kit === kit);
  if (entry?.isOutOfReach === true) throw outOfReach(entry);
  return entry === undefined ? {} : { floor: aboveAll() };
};

const outOfReach = ({ kit, file, reason }: DamagedEntry): KeepsetError =>
  new KeepsetError('place/damaged', `The ledger's entry of kit ${kit} cannot be read: ${file}. ${reason}`, {
    hint: 'Make the file readable; whether the copy was noted as lost stands in it. Where that is impossible, move it away.',
  });

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
