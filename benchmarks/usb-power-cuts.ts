/**
 * Saves to a stick through Linux's own FAT32 and exFAT drivers, in a virtual machine that runs Debian's kernel, with the
 * power cut at every write. Each image is read back by the same drivers, and by the reader that the tests use.
 *
 *     npm run bench -- usb-power-cuts [--json] [--only usual|eager] [--images N] [--write]
 *
 * Needs Debian with qemu-system-x86, busybox-static, dosfstools and exfatprogs; downloads Debian's kernel (70 MB) into
 * node_modules/.cache. The kernel writes on its own as Debian sets it (`usual`) or all the time (`eager`); `--only` takes
 * one of the two. `--images` limits how many images the drivers read per recording (default 1,200, which is every prefix
 * and some more); the reader of the tests reads them all. `--write`, without `--only`, writes vectors/usb, from which
 * `npm test` cuts the power again.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { newKitId } from '@keepset/places';
import { encodeShareFile, generateIdentity, openingKeyOf, signerOf } from '@keepset/wire';
import { sectorBytes, type Image } from '../packages/places/test/fat/device.ts';
import { mountExfat } from '../packages/places/test/fat/exfat.ts';
import { mountFat32 } from '../packages/places/test/fat/fat32.ts';
import { encodeRecording, type LogEvent, type Recording } from '../packages/places/test/fat/recording.ts';
import type { Inputs } from '../packages/places/test/usb-steps.ts';
import { makeKey } from '../packages/wire/test/keys.ts';
import { serveDisk } from './guest/disk.ts';
import { tryFaults, type Faults } from './guest/faults.ts';
import { fetchKernel, needTools, startMachine } from './guest/machine.ts';
import { study, type Count, type Result } from './guest/study.ts';

needTools();
const here = fileURLToPath(new URL('.', import.meta.url));
const vectors = join(here, '..', 'vectors', 'usb');
const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean' },
    only: { type: 'string' },
    images: { type: 'string', default: '1200' },
    write: { type: 'boolean' },
  },
});
const mostImages = Number(options.images);
const folder = mkdtempSync(join(tmpdir(), 'keepset-power-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const begin = performance.now();
const say = (text: string): void =>
  void process.stderr.write(`${((performance.now() - begin) / 1000).toFixed(0).padStart(5)} s  ${text}\n`);

/** 512 MB: clusters of 4 KB on FAT32 and 32 KB on exFAT, as on sticks that are sold. */
const sectors = 1 << 20;

const makeInputs = async (): Promise<Inputs> => {
  const [, share] = makeKey('schnorr-secp256k1', ['server', 'phone'], 2);
  const device = await generateIdentity();
  const copies: string[] = [];
  for (let generation = 1; generation <= 9; generation += 1) {
    const meta = { generation, createdAt: '2026-11-22T08:00:00Z' };
    const file = await encodeShareFile(share!, meta, [device.recipient], signerOf(device));
    copies.push(Buffer.from(file).toString('base64'));
  }
  return {
    ageIdentity: openingKeyOf(device),
    scalar: Buffer.from(device.signingKey.reveal()).toString('hex'),
    kits: { share: newKitId(), large: newKitId() },
    copies,
  };
};

interface Kind {
  readonly name: 'FAT32' | 'exFAT';
  readonly format: (size: number) => readonly [command: string, ...options: readonly string[]];
  /** Sectors of a small medium, to fill it. */
  readonly small: number;
  /** Arguments of mount, with the options that desktops use. */
  readonly mount: string;
  readonly reader: typeof mountFat32;
}
const kinds: readonly Kind[] = [
  {
    name: 'FAT32',
    format: (size) => ['mkfs.fat', '-F', '32', ...(size < sectors ? ['-s', '1'] : [])],
    small: 70_000,
    mount: '-t vfat -o utf8=1,flush',
    reader: mountFat32,
  },
  {
    name: 'exFAT',
    format: () => ['mkfs.exfat'],
    small: 20_000,
    mount: '-t exfat -o iocharset=utf8',
    reader: mountExfat,
  },
];

/** When the kernel writes on its own: as Debian sets it, or all the time. */
const paces = {
  usual: 'echo 500 > /proc/sys/vm/dirty_writeback_centisecs; echo 3000 > /proc/sys/vm/dirty_expire_centisecs',
  eager: 'echo 1 > /proc/sys/vm/dirty_writeback_centisecs; echo 1 > /proc/sys/vm/dirty_expire_centisecs',
} as const;
type Pace = keyof typeof paces;

const formatted = ({ format }: Kind, size = sectors): Image => {
  const [command, ...options] = format(size);
  const path = join(folder, 'image');
  writeFileSync(path, '');
  truncateSync(path, size * sectorBytes);
  execFileSync(command, [...options, path], { stdio: 'ignore' });
  const bytes = readFileSync(path);
  const image: Image = new Map();
  for (let sector = 0; sector < size; sector += 1) {
    const data = bytes.subarray(sector * sectorBytes, (sector + 1) * sectorBytes);
    if (data.some((byte) => byte !== 0)) image.set(sector, Uint8Array.from(data));
  }
  return image;
};

const inputs = await makeInputs();
const kernel = fetchKernel(join(here, '..', 'node_modules', '.cache', 'keepset-kernel'));
const disk = await serveDisk(join(folder, 'disk'), sectors);
const stick = await serveDisk(join(folder, 'stick'), sectors);
const machine = await startMachine({
  kernel,
  node: process.execPath,
  program: join(here, 'guest', 'program.ts'),
  folder,
  disk: join(folder, 'disk'),
  stick: join(folder, 'stick'),
});
say(`Linux ${kernel.release} is up`);

const shell = async (command: string): Promise<string> => {
  const { code, output } = await machine.ask({ do: 'shell', command });
  if (code !== 0) throw new Error(`${command}: ${String(output)}`);
  return String(output);
};

interface Recorded extends Recording {
  readonly operations: readonly string[];
}

const record = async (kind: Kind, pace: Pace): Promise<Recorded> => {
  disk.image = formatted(kind);
  const start = new Map(disk.image);
  const events: LogEvent[] = [];
  disk.log = events;
  await shell(`${paces[pace]}; mount ${kind.mount} /dev/vda /mnt/stick`);
  const answer = await machine.ask({ do: 'steps', inputs }, (text) => events.push({ kind: 'mark', text }));
  if (!Array.isArray(answer['operations'])) throw new Error(String(answer['error']));
  await shell('umount /mnt/stick');
  disk.log = undefined;
  return { start, events, operations: answer['operations'] as string[] };
};

const recordings: { readonly kind: Kind; readonly pace: Pace; readonly recorded: Recorded }[] = [];
for (const kind of kinds)
  for (const pace of ['usual', 'eager'] as const) {
    if (options.only !== undefined && options.only !== pace) continue;
    recordings.push({ kind, pace, recorded: await record(kind, pace) });
    say(`${kind.name}, ${pace}: recorded`);
  }
const version = await shell('cat /proc/version');

if (options.write === true && options.only === undefined) {
  mkdirSync(vectors, { recursive: true });
  for (const { kind, pace, recorded } of recordings)
    writeFileSync(
      join(vectors, `${kind.name.toLowerCase()}-${pace}.log.br`),
      encodeRecording({ start: recorded.start, events: recorded.events }),
    );
  const commit = execFileSync('git', ['log', '-1', '--format=%h', '--', 'packages/places/src'], {
    cwd: join(here, '..'),
    encoding: 'utf8',
  }).trim();
  const operations = recordings[0]?.recorded.operations;
  const facts = { kernel: version, commit, mounts: kinds.map(({ mount }) => mount), inputs, operations };
  writeFileSync(join(vectors, 'recorded.json'), `${JSON.stringify(facts, null, 1)}\n`);
  say('written');
}

const results: Record<string, { readonly faults?: Faults; readonly cuts?: Result }> = {};
for (const kind of kinds) {
  disk.image = formatted(kind, kind.small);
  stick.image = formatted(kind, kind.small);
  results[`${kind.name}, faults`] = { faults: await tryFaults(machine, inputs, kind.mount) };
  say(`${kind.name}: full, read-only, pulled out`);
}
const laboratory = { machine, disk, inputs, say, mostImages, contents: new Map<string, Uint8Array>() };
for (const { kind, pace, recorded } of recordings) {
  const mount = kind.mount.replace('-o ', '-o ro,');
  results[`${kind.name}, ${pace}`] = { cuts: await study(laboratory, recorded, mount, kind.reader) };
  say(`${kind.name}, ${pace}: ${JSON.stringify(results[`${kind.name}, ${pace}`])}`);
}
await machine.stop();
disk.close();
stick.close();

const countLine = (name: string, { cuts, images, lost }: Count): string =>
  `    ${name.padEnd(34)} ${String(cuts).padStart(5)} cuts ${String(images).padStart(6)} images ${String(lost).padStart(5)} lost`;

if (options.json === true) process.stdout.write(`${JSON.stringify({ version, results })}\n`);
else
  process.stdout.write(
    [
      version,
      ...Object.entries(results).flatMap(([title, { faults, cuts }]) => [
        title,
        ...Object.entries(faults ?? {}).map(([what, outcome]) => `    ${what}: ${outcome}`),
        ...(cuts === undefined
          ? []
          : [
              `    ${cuts.writes} sectors written, ${cuts.flushes} flushes; the kernel read ${cuts.readByKernel} images, the tests’ reader ${cuts.readOtherwise} of them otherwise`,
              ...(['share', 'large', 'textbook'] as const).flatMap((subject) => [
                countLine(`${subject}, read by the kernel`, cuts.byKernel[subject]),
                countLine(`${subject}, read by the tests`, cuts.byTests[subject]),
              ]),
            ]),
      ]),
      '',
    ].join('\n'),
  );
process.exitCode = Object.values(results).some(
  ({ cuts }) =>
    cuts !== undefined &&
    (['share', 'large'] as const).some(
      (subject) => cuts.byKernel[subject].lost + cuts.byTests[subject].lost > 0,
    ),
)
  ? 1
  : 0;
