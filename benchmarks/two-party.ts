/**
 * What a key and a signature between one device and its server cost over loopback HTTPS: requests, bytes, time; and
 * how long the first and later starts of everything take.
 *
 *     npm run bench -- two-party [--json]
 *
 * Both sides run in this process, so processor time is that of device and server together. Bytes are message bodies.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runKeygen, runSign, type GroupKey, type Scheme, type SignRequest } from '@keepset/ceremony';
import { defaultOptions, startServer } from '@keepset/server';
import { openDevice, type OpenDevice } from '../apps/cli/src/home/device.ts';
import { enrolHome } from '../apps/cli/src/home/enrol.ts';
import { homePaths } from '../apps/cli/src/home/paths.ts';
import { terminalFor } from '../apps/cli/src/terminal/terminal.ts';

const signatures = 31;
/** Setting up the pairs for threshold ECDSA takes over a second each time. */
const keygensOf = (scheme: Scheme): number => (scheme.startsWith('ecdsa') ? 7 : 31);
const starts = 5;
const schemes: readonly Scheme[] = ['ed25519', 'schnorr-secp256k1', 'ecdsa-secp256k1', 'ecdsa-p256'];

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

const round = (value: number): number => Math.round(value * 10) / 10;

/** One run: by the clock, by the processor, and on the wire. */
interface Cost {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly requests: number;
  readonly bytes: number;
}

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const measure = async (device: OpenDevice, work: () => Promise<unknown>): Promise<Cost> => {
  const [clock, cpu, before] = [performance.now(), cpuMs(), device.traffic()];
  await work();
  const after = device.traffic();
  return {
    wallMs: performance.now() - clock,
    cpuMs: cpuMs() - cpu,
    requests: after.requests - before.requests,
    bytes: after.sent + after.received - before.sent - before.received,
  };
};

const summary = (costs: readonly Cost[]): Cost => ({
  wallMs: round(median(costs.map(({ wallMs }) => wallMs))),
  cpuMs: round(median(costs.map(({ cpuMs: cpu }) => cpu))),
  requests: median(costs.map(({ requests }) => requests)),
  bytes: median(costs.map(({ bytes }) => bytes)),
});

const requestFor = (scheme: Scheme, i: number): SignRequest => ({
  message: new Uint8Array(32).fill(i),
  digest: scheme.startsWith('ecdsa') ? 'sha256' : 'none',
});

const benchScheme = async (device: OpenDevice, scheme: Scheme): Promise<{ keygen: Cost; sign: Cost }> => {
  const made: Cost[] = [];
  let group: GroupKey | undefined;
  for (let i = 0; i < keygensOf(scheme); i += 1)
    made.push(
      await measure(device, async () => {
        group = await runKeygen(device.device, { scheme, policy: 'and(server,phone)' });
      }),
    );
  const signed: Cost[] = [];
  const keyId = group?.keyId ?? '';
  // The first signature warms up and is not counted.
  for (let i = 0; i <= signatures; i += 1) {
    const cost = await measure(device, () =>
      runSign(device.device, { keyId, request: requestFor(scheme, i) }),
    );
    if (i > 0) signed.push(cost);
  }
  return { keygen: summary(made), sign: summary(signed) };
};

const keepset = fileURLToPath(new URL('../apps/cli/bin/keepset.js', import.meta.url));

/** Wall time of a whole `keepset quickstart --once`, milliseconds. */
const quickstart = (folder: string): number => {
  const begin = performance.now();
  const { status, stderr } = spawnSync(
    process.execPath,
    [keepset, 'quickstart', '--once', '--port', '0', '--dir', folder],
    {
      encoding: 'utf8',
    },
  );
  if (status !== 0) throw new Error(`quickstart failed: ${stderr}`);
  return performance.now() - begin;
};

const benchStarts = (): { coldMs: number; warmMs: number } => {
  const cold: number[] = [];
  const warm: number[] = [];
  for (let i = 0; i < starts; i += 1) {
    const folder = mkdtempSync(join(tmpdir(), 'keepset-bench-'));
    cold.push(quickstart(folder));
    warm.push(quickstart(folder));
    rmSync(folder, { recursive: true, force: true });
  }
  return { coldMs: Math.round(median(cold)), warmMs: Math.round(median(warm)) };
};

const root = mkdtempSync(join(tmpdir(), 'keepset-bench-'));
const server = await startServer({
  ...defaultOptions({}),
  port: 0,
  dataDir: join(root, 'data'),
  kekFile: join(root, 'kek'),
  logLevel: 'silent',
});
const home = join(root, 'phone');
await enrolHome(homePaths({ home }), server.invite(), 'phone', undefined);
// With --json the terminal shows no progress, which would cost time too.
const device = await openDevice({ home }, terminalFor(true));
const results: Partial<Record<Scheme, { keygen: Cost; sign: Cost }>> = {};
for (const scheme of schemes) results[scheme] = await benchScheme(device, scheme);
device.close();
await server.close();
rmSync(root, { recursive: true, force: true });
const start = benchStarts();

if (process.argv.includes('--json'))
  console.log(
    JSON.stringify({
      runs: {
        signatures,
        keygens: Object.fromEntries(schemes.map((scheme) => [scheme, keygensOf(scheme)])),
        starts,
      },
      schemes: results,
      start,
    }),
  );
else {
  const row = (name: string, { requests, bytes, cpuMs: cpu, wallMs }: Cost): string =>
    `${name.padEnd(28)}${String(requests).padStart(9)}${String(bytes).padStart(10)}${cpu.toFixed(1).padStart(10)}${wallMs.toFixed(1).padStart(10)}`;
  console.log(
    `Medians of ${signatures} signatures and ${keygensOf('ed25519')} keygens (ECDSA: ${keygensOf('ecdsa-p256')}), device and server together, loopback HTTPS`,
  );
  console.log(
    `${''.padEnd(28)}${'requests'.padStart(9)}${'bytes'.padStart(10)}${'cpu ms'.padStart(10)}${'wall ms'.padStart(10)}`,
  );
  for (const [scheme, { keygen, sign }] of Object.entries(results)) {
    console.log(row(`${scheme} sign`, sign));
    console.log(row(`${scheme} keygen`, keygen));
  }
  console.log(
    `quickstart --once, whole process: cold ${start.coldMs} ms, warm ${start.warmMs} ms (medians of ${starts})`,
  );
}
