/**
 * What places cost and survive: the time to open a copy in each kind of place, what scrypt does to the event loop, and
 * how much damage a stick and a printed kit bear. Real share files, real containers, real pages.
 *
 *     npm run bench -- places [--json]
 *
 * Printed kits need pdftoppm (poppler-utils), the keyring secret-tool and a running keyring; what is missing is left out
 * and said. Damage is done to one slot with its sidecar, the other slot being gone; a blot hides everything below it.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { utf8ToBytes } from '@keepset/bytes';
import {
  assembleChunks,
  createContainer,
  findContainer,
  folderOf,
  inspectContainer,
  keyringPlace,
  newKitId,
  nodeFileSystem,
  openFilePlace,
  openNewest,
  readFinderBackup,
  renderShareSheets,
  scanCodes,
  scryptInThreadPool,
  secretServiceKeyring,
  type ContainerRef,
  type Picture,
} from '@keepset/places';
import { protocolFor, type Scheme } from '@keepset/threshold';
import {
  defaultWorkFactor,
  encodeShareFile,
  generateIdentity,
  openShareFile,
  openingKeyOf,
  scryptInline,
  signerOf,
  type ScryptWork,
} from '@keepset/wire';
import { makeBackup } from '../packages/places/test/backup-maker.ts';
import { makeKey } from '../packages/wire/test/keys.ts';

const folder = mkdtempSync(join(tmpdir(), 'keepset-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const device = await generateIdentity();
const key = openingKeyOf(device);
const shareFileOf = async (scheme: Scheme): Promise<{ keyId: string; bytes: Uint8Array }> => {
  const [, share] = makeKey(scheme, ['server', 'phone'], 2);
  if (share === undefined || !protocolFor(scheme).checkShare(share)) throw new Error('no share');
  const meta = { generation: 1, createdAt: '2026-11-22T08:00:00Z' };
  const bytes = await encodeShareFile(share, meta, [device.recipient], signerOf(device));
  return { keyId: share.group.keyId, bytes };
};
const small = await shareFileOf('ed25519');
const large = await shareFileOf('ecdsa-secp256k1');

const open = async (bytes: Uint8Array): Promise<void> => {
  (await openShareFile(bytes, [key])).share.secret.wipe();
};

/** Median of the times after a first one that does not count where there are several, in milliseconds. */
const timed = async (work: () => Promise<unknown>, runs = 15): Promise<number> => {
  const times: number[] = [];
  if (runs > 1) await work();
  for (let run = 0; run < runs; run += 1) {
    const begin = performance.now();
    await work();
    times.push(performance.now() - begin);
  }
  return times.toSorted((a, b) => a - b)[runs >> 1] ?? 0;
};

const containerWith = async (bytes: Uint8Array): Promise<ContainerRef> => {
  const root = mkdtempSync(join(folder, 'stick-'));
  const container = { files: nodeFileSystem, root, kit: newKitId(), party: 2 };
  await createContainer(container, bytes, signerOf(device));
  return container;
};

const openContainer = async ({ root }: ContainerRef): Promise<void> => {
  const report = await inspectContainer(await findContainer(nodeFileSystem, root));
  (await openNewest(report, [key])).opened.share.secret.wipe();
};

const parsePpm = (file: Buffer): Picture => {
  const head = /^P6\s(#.*\s)?(\d+) (\d+)\s255\s/.exec(file.subarray(0, 100).toString('latin1'));
  if (head === null) throw new Error('not a page');
  const data = Uint8Array.from(file.subarray(head[0].length));
  return { width: Number(head[2]), height: Number(head[3]), data };
};

/** The pages of a printed kit as a scanner at 200 dpi sees them; undefined without pdftoppm. */
const printedPages = async (): Promise<readonly Picture[] | undefined> => {
  const facts = {
    paper: 'A4',
    kit: newKitId(),
    createdAt: '2026-11-22T08:00:00Z',
    epoch: 0,
    generation: 1,
    validity: 'Void.',
    keyId: small.keyId,
    opens: 'A share.',
    alone: 'Nothing.',
  } as const;
  const pdf = join(folder, 'kit.pdf');
  writeFileSync(pdf, await renderShareSheets({ ...facts, shareFile: small.bytes }));
  try {
    execFileSync('pdftoppm', ['-r', '200', pdf, join(folder, 'page')], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ppm'))
    .toSorted()
    .map((name) => parsePpm(readFileSync(join(folder, name))));
};

const openPages = async (pages: readonly Picture[]): Promise<void> => {
  const texts: string[] = [];
  for (const page of pages) texts.push(...(await scanCodes([page])));
  const scan = assembleChunks(texts);
  if (scan.status === 'more') throw new Error('not enough codes');
  await open(scan.assembled.file);
};

const survives = async (work: () => Promise<unknown>): Promise<boolean> => {
  try {
    await work();
    return true;
  } catch {
    return false;
  }
};

/** The highest step from 0 to `most` at which `holds`, which is true below some step and false above it. */
const highest = async (most: number, holds: (step: number) => Promise<boolean>): Promise<number> => {
  let [low, high] = [0, most + 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (await holds(middle)) low = middle;
    else high = middle;
  }
  return low;
};

/** Deterministic numbers below 1, so that two runs measure the same. */
const numbers = (seed: number): (() => number) => {
  let state = seed;
  return () => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
};

interface Bearing {
  readonly size: number;
  readonly sidecar: number;
  readonly hole: number;
  readonly bytesPercent: number;
}

/** What one slot and its sidecar bear: a hole wherever it falls, and single bytes anywhere in 20 of 20 trials. */
const damageOf = async (bytes: Uint8Array): Promise<Bearing> => {
  const container = await containerWith(bytes);
  const slot = join(folderOf(container), 'share_party2.enc');
  const whole = readFileSync(slot);
  const bears = async (damaged: Uint8Array): Promise<boolean> => {
    writeFileSync(slot, damaged);
    return survives(() => openContainer(container));
  };
  const hole = await highest(whole.length, async (length) => {
    for (let part = 0; part <= 8; part += 1) {
      const at = Math.floor(((whole.length - length) * part) / 8);
      if (!(await bears(Buffer.from(whole).fill(0, at, at + length)))) return false;
    }
    return true;
  });
  // In thousandths of the slot's bytes.
  const scattered = await highest(1000, async (thousandths) => {
    for (let trial = 1; trial <= 20; trial += 1) {
      const next = numbers(trial);
      const damaged = Buffer.from(whole);
      for (let count = 0; count < (whole.length * thousandths) / 1000; count += 1) {
        const at = Math.floor(next() * damaged.length);
        damaged[at] = (damaged[at] ?? 0) ^ (1 + Math.floor(next() * 255));
      }
      if (!(await bears(damaged))) return false;
    }
    return true;
  });
  const sidecar = readFileSync(`${slot}.par`).length;
  return { size: whole.length, sidecar, hole, bytesPercent: scattered / 10 };
};

/** A round blot of ink over the given part of a page, in percent of its area. */
const blot = (page: Picture, percent: number, x: number, y: number): Picture => {
  const radius = Math.sqrt((page.width * page.height * percent) / 100 / Math.PI);
  const data = Uint8Array.from(page.data);
  for (let row = 0; row < page.height; row += 1) {
    const half = Math.sqrt(Math.max(0, radius ** 2 - (row - y) ** 2));
    const [from, to] = [Math.max(0, Math.ceil(x - half)), Math.min(page.width, Math.floor(x + half))];
    if (to > from) data.fill(40, (row * page.width + from) * 3, (row * page.width + to) * 3);
  }
  return { ...page, data };
};

/** The largest blot that a page bears at each of nine points, in tenths of a percent of the page. */
const blotOf = (pages: readonly Picture[]): Promise<number> =>
  highest(100, async (tenths) => {
    const [page, ...others] = pages;
    if (page === undefined) return false;
    for (const x of [0.25, 0.5, 0.75])
      for (const y of [0.25, 0.5, 0.75]) {
        const stained = blot(page, tenths / 10, x * page.width, y * page.height);
        if (!(await survives(() => openPages([stained, ...others])))) return false;
      }
    return true;
  });

interface Delay {
  readonly milliseconds: number;
  readonly longestPause: number;
}

/** How long scrypt takes, and the longest time for which nothing else could run meanwhile. */
const delayOf = async (work: ScryptWork): Promise<Delay> => {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  const begin = performance.now();
  await work(utf8ToBytes('correct horse'), new Uint8Array(16), defaultWorkFactor);
  const milliseconds = performance.now() - begin;
  histogram.disable();
  return { milliseconds, longestPause: histogram.max / 1e6 };
};

const fileRow = async (bytes: Uint8Array, keyId: string): Promise<number> => {
  const place = await openFilePlace(mkdtempSync(join(folder, 'file-')));
  await place.put({ keyId, epoch: 0 }, bytes, { generation: 1 });
  return timed(async () => open((await place.get({ keyId, epoch: 0 }))?.bytes ?? new Uint8Array(0)));
};

const stickRow = async (bytes: Uint8Array): Promise<number> => {
  const container = await containerWith(bytes);
  return timed(() => openContainer(container));
};

const finderRow = (): Promise<number> => {
  const backup = join(folder, 'backup');
  mkdirSync(backup);
  const dialect = {
    encrypted: true,
    firstRounds: 10_000_000,
    rounds: 10_000,
    manifestKey: true,
    flags: 1,
    keyData: 'object',
    padding: 'pkcs7',
  } as const;
  const files = [{ domain: 'AppDomain-org.keepset', path: 'Documents/share.age', content: small.bytes }];
  makeBackup(backup, 'password', dialect, files);
  return timed(async () => {
    const [found] = (await readFinderBackup(backup, 'password')).shares;
    await open(found?.bytes ?? new Uint8Array(0));
  }, 1);
};

const keyringRow = async (): Promise<number | undefined> => {
  const place = keyringPlace(secretServiceKeyring());
  const name = { keyId: small.keyId, epoch: 0 };
  try {
    await place.put(name, small.bytes, { generation: 1 });
  } catch {
    return undefined;
  }
  const row = await timed(async () => open((await place.get(name))?.bytes ?? new Uint8Array(0)));
  await place.remove(name);
  return row;
};

const pages = await printedPages();
const opening: readonly (readonly [name: string, milliseconds: number | undefined])[] = [
  ['file, Ed25519', await fileRow(small.bytes, small.keyId)],
  ['file, ECDSA', await fileRow(large.bytes, large.keyId)],
  ['USB container, Ed25519', await stickRow(small.bytes)],
  ['USB container, ECDSA', await stickRow(large.bytes)],
  ['printed kit, 200 dpi', pages === undefined ? undefined : await timed(() => openPages(pages), 3)],
  ['Finder backup, 10 M rounds', await finderRow()],
  ['keyring', await keyringRow()],
];
const scrypt = [
  ['in the thread pool', await delayOf(scryptInThreadPool)],
  ['in the calling thread', await delayOf(scryptInline)],
] as const;
const slots = [
  ['Ed25519', await damageOf(small.bytes)],
  ['ECDSA', await damageOf(large.bytes)],
] as const;
const blotPercent = pages === undefined ? undefined : (await blotOf(pages)) / 10;

const ms = (value: number | undefined): string =>
  value === undefined ? 'not available here' : `${value.toFixed(1).padStart(9)} ms`;

if (process.argv.includes('--json'))
  process.stdout.write(
    `${JSON.stringify({
      openingMs: Object.fromEntries(opening.map(([name, value]) => [name, value ?? null])),
      scrypt: Object.fromEntries(scrypt),
      slots: Object.fromEntries(slots),
      kit: { pages: pages?.length ?? null, blotPercent: blotPercent ?? null },
    })}\n`,
  );
else
  process.stdout.write(
    [
      'Time to open a copy',
      ...opening.map(([name, value]) => `  ${name.padEnd(28)} ${ms(value)}`),
      `scrypt, 2^${defaultWorkFactor}`,
      ...scrypt.map(
        ([name, { milliseconds, longestPause }]) =>
          `  ${name.padEnd(28)} ${ms(milliseconds)}, longest pause of other work ${ms(longestPause).trim()}`,
      ),
      'Damage survived by one slot of a stick and its sidecar',
      ...slots.map(
        ([name, { size, sidecar, hole, bytesPercent }]) =>
          `  ${name.padEnd(28)} hole of ${hole} of ${size} bytes; ${bytesPercent} % of bytes (sidecar ${sidecar})`,
      ),
      'Damage survived by a printed kit',
      `  blot on one of ${pages?.length ?? '?'} pages`.padEnd(31) +
        (blotPercent === undefined ? 'not available here' : `${blotPercent} % of the page`),
      '',
    ].join('\n'),
  );
