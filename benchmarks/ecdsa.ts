/**
 * What threshold ECDSA costs: processor time of all parties together, bytes on the wire and at rest, next to a public
 * implementation in wasm, which is fetched for it (benchmarks/yardstick/README.md).
 *
 *     npm run bench -- ecdsa [--json] [--alone] [--profile] [--growth]
 *
 * Times are processor time; fields with Wall in their name are by the clock, which on a busy machine also counts
 * waiting for the processor.
 *
 * --alone    do not fetch the other implementation
 * --profile  where the time of a signature and of a keygen goes
 * --growth   n-of-n for n = 2 … 10 (several minutes); writes docs/ecdsa-growth.svg
 */
import { randomBytes } from 'node:crypto';
import { encodeKeyShare, type Scheme } from '@keepset/threshold';
import { measureGrowth, plotGrowth, printGrowth } from './ecdsa/growth.ts';
import { keygen, presign, processorMs, sign, signPresigned } from './ecdsa/parties.ts';
import { printProfile } from './ecdsa/profile.ts';
import { loadYardstick, type Yardstick } from './yardstick/index.ts';

const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? high) + high) / 2;
};

/** One run by both measures. */
interface Time {
  readonly milliseconds: number;
  readonly wallMs: number;
}

const timed = (work: () => void): Time => {
  const begin = processorMs();
  const clock = performance.now();
  work();
  return { milliseconds: processorMs() - begin, wallMs: performance.now() - clock };
};

interface Compared {
  readonly ours: number;
  readonly theirs: number | null;
  readonly ratio: number | null;
  readonly wallRatio: number | null;
}

/** Medians of both, measured in turn so that a slow moment of the machine meets both. */
const compare = (rounds: number, ours: () => Time, theirs: (() => Time) | undefined): Compared => {
  const own: Time[] = [];
  const other: Time[] = [];
  for (let i = 0; i < rounds; i++) {
    own.push(ours());
    if (theirs !== undefined) other.push(theirs());
  }
  const processor = (times: readonly Time[]): number => median(times.map((time) => time.milliseconds));
  const wall = (times: readonly Time[]): number => median(times.map((time) => time.wallMs));
  if (theirs === undefined) return { ours: processor(own), theirs: null, ratio: null, wallRatio: null };
  return {
    ours: processor(own),
    theirs: processor(other),
    ratio: processor(own) / processor(other),
    wallRatio: wall(own) / wall(other),
  };
};

const compareKeygen = (
  scheme: Scheme,
  yardstick: Yardstick | undefined,
  threshold: number,
  parties: number,
): Compared =>
  compare(
    5,
    () => keygen(scheme, threshold, parties),
    yardstick === undefined ? undefined : () => timed(() => yardstick.keygen(threshold, parties)),
  );

const measure = (scheme: Scheme, yardstick: Yardstick | undefined): Record<string, number | null> => {
  const shares = keygen(scheme, 2, 2).results;
  const theirShares = yardstick?.keygen(2, 2);
  const signTheirs =
    yardstick === undefined || theirShares === undefined
      ? undefined
      : (): Time => timed(() => yardstick.sign(theirShares, new Uint8Array(randomBytes(32))));
  for (let i = 0; i < 10; i++) {
    sign(shares);
    signTheirs?.();
  }
  const signing = compare(40, () => sign(shares), signTheirs);
  const prepared = Array.from({ length: 30 }, () => presign(shares));
  const online = prepared.map(({ results }) => signPresigned(shares, results));
  const [share] = shares;
  if (share === undefined) throw new Error('A key has shares.');
  const keygen22 = compareKeygen(scheme, yardstick, 2, 2);
  const keygen23 = compareKeygen(scheme, yardstick, 2, 3);
  return {
    signRatio: signing.ratio,
    keygen22Ratio: keygen22.ratio,
    keygen23Ratio: keygen23.ratio,
    signBytes: sign(shares).bytes,
    shareBytes: encodeKeyShare(share).length,
    onlineMs: median(online.map(({ milliseconds }) => milliseconds)),
    signWallRatio: signing.wallRatio,
    keygen22WallRatio: keygen22.wallRatio,
    keygen23WallRatio: keygen23.wallRatio,
    onlineWallMs: median(online.map(({ wallMs }) => wallMs)),
    onlineBytes: online[0]?.bytes ?? 0,
    signMs: signing.ours,
    presignMs: median(prepared.map(({ milliseconds }) => milliseconds)),
    keygen22Ms: keygen22.ours,
    keygen23Ms: keygen23.ours,
    yardstickSignMs: signing.theirs,
    yardstickKeygen22Ms: keygen22.theirs,
    yardstickKeygen23Ms: keygen23.theirs,
  };
};

const rounded = (values: Record<string, number | null>): Record<string, number | null> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      value === null || Number.isInteger(value) ? value : Number(value.toPrecision(3)),
    ]),
  );

const has = (flag: string): boolean => process.argv.includes(flag);

if (has('--growth')) {
  const growth = measureGrowth('ecdsa-secp256k1');
  printGrowth(growth);
  plotGrowth(growth);
} else if (has('--profile')) printProfile();
else {
  const yardstick = loadYardstick();
  const figures = rounded(measure('ecdsa-secp256k1', yardstick));
  if (has('--json')) console.log(JSON.stringify(figures));
  else {
    console.log('ecdsa-secp256k1, processor time of all parties in one process, medians');
    for (const [name, value] of Object.entries(figures)) console.log(`  ${name.padEnd(20)} ${value ?? '-'}`);
    if (yardstick === undefined)
      console.log('The yardstick is not installed: no ratios. See benchmarks/yardstick/README.md.');
    else console.log(`Yardstick: dkls-wasm-ll-node ${yardstick.version}.`);
  }
}
