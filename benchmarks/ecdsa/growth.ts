/** How n-of-n keygen and signing grow with n. */
import { writeFileSync } from 'node:fs';
import { encodeKeyShare, type Scheme } from '@keepset/threshold';
import { keygen, sign } from './parties.ts';

/** Compute and bytes per party. */
export interface GrowthRow {
  readonly parties: number;
  readonly keygenMs: number;
  readonly keygenBytes: number;
  readonly signMs: number;
  readonly signBytes: number;
  readonly shareBytes: number;
}

export const measureGrowth = (scheme: Scheme): GrowthRow[] => {
  sign(keygen(scheme, 2, 2).results);
  return Array.from({ length: 9 }, (_, i) => {
    const parties = i + 2;
    const key = keygen(scheme, parties, parties);
    const signatures = Array.from({ length: 5 }, () => sign(key.results));
    const best = Math.min(...signatures.map(({ milliseconds }) => milliseconds));
    const [share] = key.results;
    return {
      parties,
      keygenMs: key.milliseconds / parties,
      keygenBytes: key.bytes / parties,
      signMs: best / parties,
      signBytes: (signatures[0]?.bytes ?? 0) / parties,
      shareBytes: share === undefined ? 0 : encodeKeyShare(share).length,
    };
  });
};

const kilobytes = (bytes: number): string => (bytes / 1000).toFixed(1);

export const printGrowth = (rows: readonly GrowthRow[]): void => {
  console.log('| n-of-n | keygen ms | keygen KB sent | sign ms | sign KB sent | share KB |');
  console.log('| ---: | ---: | ---: | ---: | ---: | ---: |');
  for (const row of rows)
    console.log(
      `| ${row.parties} | ${row.keygenMs.toFixed(0)} | ${kilobytes(row.keygenBytes)} | ${row.signMs.toFixed(0)} | ${kilobytes(row.signBytes)} | ${kilobytes(row.shareBytes)} |`,
    );
  console.log('Per party.');
};

const panel = (
  rows: readonly GrowthRow[],
  left: number,
  title: string,
  valueOf: (row: GrowthRow) => number,
): string => {
  const [width, height, top] = [260, 180, 40];
  const most = Math.max(...rows.map(valueOf));
  const x = (parties: number): number => left + ((parties - 2) / 8) * width;
  const y = (value: number): number => top + height - (value / most) * height;
  const points = rows.map((row) => `${x(row.parties).toFixed(1)},${y(valueOf(row)).toFixed(1)}`);
  const dots = points.map((point) => {
    const [cx, cy] = point.split(',');
    return `<circle cx="${cx}" cy="${cy}" r="3" fill="#246"/>`;
  });
  const labels = rows.map(
    (row) =>
      `<text x="${x(row.parties).toFixed(1)}" y="${top + height + 16}" text-anchor="middle">${row.parties}</text>`,
  );
  return [
    `<text x="${left}" y="${top - 14}">${title}</text>`,
    `<line x1="${left}" y1="${top + height}" x2="${left + width}" y2="${top + height}" stroke="#999"/>`,
    `<polyline points="${points.join(' ')}" fill="none" stroke="#246"/>`,
    ...dots,
    ...labels,
    `<text x="${left + width}" y="${y(most) - 6}" text-anchor="end">${most.toFixed(0)}</text>`,
  ].join('\n');
};

/** Writes docs/ecdsa-growth.svg. */
export const plotGrowth = (rows: readonly GrowthRow[]): void => {
  const svg = [
    '<svg xmlns="http://www.w3.org/2000/svg" width="660" height="260" font-family="sans-serif" font-size="12">',
    '<rect width="660" height="260" fill="#fff"/>',
    panel(rows, 40, 'keygen, ms of compute per party, n-of-n', (row) => row.keygenMs),
    panel(rows, 370, 'signature, ms of compute per party, n-of-n', (row) => row.signMs),
    '</svg>\n',
  ].join('\n');
  writeFileSync(new URL('../../docs/ecdsa-growth.svg', import.meta.url), svg);
};
