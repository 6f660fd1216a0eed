/**
 * The same with real processes and SIGKILL, which no code can catch, at moments all along the way. What happens at every
 * single operation, the other tests here go through; in this one nothing is simulated.
 */
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { KeepsetError, utf8ToBytes } from '@keepset/bytes';
import {
  protocolFor,
  runKeygen,
  runSign,
  settleOpenSessions,
  type DeviceParty,
  type GroupKey,
} from '@keepset/ceremony';
import { startServer, type RunningServer } from '@keepset/server';
import { withDevice, type OpenDevice } from '../../apps/cli/src/home/device.ts';
import { enrolHome } from '../../apps/cli/src/home/enrol.ts';
import { homePaths } from '../../apps/cli/src/home/paths.ts';
import { copiesOf, openHome, silentTerminal } from '../support/device.ts';
import { filesIn, projectRoot, temporaryFolder } from '../support/folders.ts';
import {
  bin,
  folderOptions,
  run,
  serve,
  serverFolders,
  start,
  type Ended,
  type ServerFolders,
} from '../support/processes.ts';
import { serverOptions } from '../support/server.ts';

// Many real processes or runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const preload = ['--import', join(projectRoot, 'tests', 'support', 'kill-at.ts')];
const request = { message: utf8ToBytes('hello'), digest: 'none' } as const;
const policy = 'and(server,phone)';

/** Moments a command passes when nobody kills it, in order. */
const momentsOf = async (command: (env: Record<string, string>) => Promise<Ended>): Promise<string[]> => {
  const file = join(temporaryFolder(), 'moments');
  expect(await command({ KEEPSET_MOMENTS: file })).toMatchObject({ code: 0 });
  return readFileSync(file, 'utf8').split('\n');
};

/** Numbers from `first` to `last`, evenly spread, both ends among them. */
const spread = (first: number, last: number, count: number): number[] => [
  ...new Set(
    Array.from({ length: count }, (_, at) =>
      Math.round(first + ((last - first) * at) / Math.max(1, count - 1)),
    ),
  ),
];

/** What the next command finds and says. */
interface Found {
  readonly notes: readonly string[];
  readonly keys: readonly string[];
}

/**
 * Opens the home as every command does, and insists: nothing stays open, each key is on both sides and signs, and
 * people are told the truth.
 */
const expectWhole = async (home: string): Promise<Found> => {
  const notes: string[] = [];
  const keys = await withDevice({ home }, { ...silentTerminal, note: (text) => notes.push(text) }, check);
  expect(notes.length).toBeLessThanOrEqual(1);
  for (const note of notes) {
    const [, keyId = '', said] =
      /^An earlier key generation \(([a-z2-7]{26})\) was cut off\. (.*)$/.exec(note) ?? [];
    if (keys.includes(keyId)) expect(said).toContain('the key is complete and can be used');
    else expect(said).toMatch(/neither side holds the key\. Run `keepset keygen` again\.$/);
  }
  return { notes, keys };
};

const check = async ({ device }: OpenDevice): Promise<readonly string[]> => {
  expect(await device.journal.list()).toEqual([]);
  const local = await device.vault.list();
  const remote = (await device.transport.keys()).map(({ keyId }) => keyId);
  expect([...local].sort()).toEqual([...remote].sort());
  for (const keyId of local) await runSign(device, { keyId, request });
  return local;
};

/** The epoch of a key, which must be the same on both sides, and the shares of it sign. */
const epochOnBothSides = async (device: DeviceParty, key: GroupKey): Promise<number> => {
  expect(await device.journal.list()).toEqual([]);
  const remote = (await device.transport.keys()).find(({ keyId }) => keyId === key.keyId);
  const { group, signature } = await runSign(device, { keyId: key.keyId, request });
  expect(protocolFor(key.scheme).verify(key, request, signature)).toBe(true);
  expect(remote?.epoch).toBe(group.epoch);
  return group.epoch;
};

describe('the device', () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer(serverOptions());
  });
  afterAll(() => server.close());

  const newHome = async (): Promise<string> => {
    const home = temporaryFolder();
    await enrolHome(homePaths({ home }), server.invite(), 'phone', undefined);
    return home;
  };
  const keygen = (home: string, env: Record<string, string>): Promise<Ended> =>
    run(process.execPath, [...preload, bin, 'keygen', '--home', home], { env });

  /** Files that hold a device's keys without a passphrase. */
  const keysInClear = (home: string): readonly string[] =>
    filesIn(home).filter((file) => readFileSync(file, 'latin1').includes('AGE-SECRET-KEY-'));

  it('killed at any moment of `keepset keygen`: the next command says what became of it', async () => {
    const moments = await momentsOf(async (env) => keygen(await newHome(), env));
    expect(moments.filter((moment) => moment === 'request.end').length).toBeGreaterThanOrEqual(2);
    expect(moments.filter((moment) => moment === 'file.sync').length).toBeGreaterThanOrEqual(5);
    const said = new Set<string>();
    for (const at of spread(1, moments.length, 16)) {
      const home = await newHome();
      expect(await keygen(home, { KEEPSET_KILL_AT: String(at) })).toMatchObject({ signal: 'SIGKILL' });
      const { notes, keys } = await expectWhole(home);
      said.add(
        notes.length === 0 ? `nothing, ${keys.length} keys` : notes[0]!.replaceAll(/\([a-z2-7]{26}\)/g, ''),
      );
      const phone = await openHome(home);
      expect((await copiesOf(phone)).every((copy) => copy.endsWith(' current'))).toBe(true);
      phone.close();
    }
    // Before anything was written; cut off and void; cut off and complete; done but for the last touches.
    expect(said.size).toBeGreaterThanOrEqual(3);
  });

  it('killed at any moment of `keepset refresh`: both sides are at one epoch and sign', async () => {
    const refresh = (home: string, { keyId }: GroupKey, env: Record<string, string>): Promise<Ended> =>
      run(process.execPath, [...preload, bin, 'refresh', '--key', keyId, '--home', home], { env });
    const home = await newHome();
    const newKey = async (): Promise<GroupKey> => {
      const { device, close } = await openHome(home);
      try {
        return await runKeygen(device, { scheme: 'ed25519', policy });
      } finally {
        close();
      }
    };
    const rehearsed = await newKey();
    const moments = await momentsOf((env) => refresh(home, rehearsed, env));
    expect(moments.filter((moment) => moment === 'request.end').length).toBeGreaterThanOrEqual(2);
    const became = new Set<string>();
    for (const at of spread(1, moments.length, 16)) {
      const key = await newKey();
      expect(await refresh(home, key, { KEEPSET_KILL_AT: String(at) })).toMatchObject({ signal: 'SIGKILL' });
      const notes: string[] = [];
      const terminal = { ...silentTerminal, note: (text: string) => notes.push(text) };
      const epoch = await withDevice({ home }, terminal, ({ device }) => epochOnBothSides(device, key));
      expect(notes.length).toBeLessThanOrEqual(1);
      for (const note of notes) {
        expect(note).toContain(`An earlier refresh (${key.keyId}) was cut off.`);
        expect(note).toContain(
          epoch === 1 ? 'the new share is in place' : 'the old share is still the valid',
        );
      }
      became.add(`${notes.length} notes, epoch ${epoch}`);
    }
    // Before anything was written; cut off and void; cut off and done; done but for the last touches.
    expect(became).toContain('0 notes, epoch 0');
    expect(became).toContain('1 notes, epoch 1');
  });

  it('killed at any moment of `keepset enroll`: it can enrol again, with the same invitation', async () => {
    const enrol = (home: string, invite: string, env: Record<string, string>) =>
      run(process.execPath, [...preload, bin, 'enroll', invite, '--home', home], { env });
    const moments = await momentsOf((env) => enrol(temporaryFolder(), server.invite(), env));
    // The server has answered, and the device has not heard it: the invitation is spent.
    const answered = moments.indexOf('request.emit') + 1;
    expect(answered).toBeGreaterThan(1);
    for (const at of new Set([...spread(1, moments.length, 5), answered])) {
      const home = temporaryFolder();
      const invite = server.invite();
      expect(await enrol(home, invite, { KEEPSET_KILL_AT: String(at) })).toMatchObject({ signal: 'SIGKILL' });
      try {
        await enrolHome(homePaths({ home }), invite, 'phone', undefined);
      } catch (error) {
        // It was enrolled by the one that was killed.
        if (!(error instanceof KeepsetError) || error.code !== 'place/exists') throw error;
      }
      expect((await expectWhole(home)).keys).toEqual([]);
      expect(keysInClear(home)).toHaveLength(1);
    }
  });

  it('enrolling with a passphrase, cut off: the same passphrase goes on, another one is refused', async () => {
    const home = temporaryFolder();
    const paths = homePaths({ home });
    const invite = server.invite();
    const first = await enrolHome(paths, invite, 'phone', undefined);
    rmSync(paths.account);
    // As if the answer had been lost; now with a passphrase. The keys are the same, and lie in clear no more.
    expect(await enrolHome(paths, invite, 'phone', 'correct horse')).toEqual(first);
    expect(keysInClear(home)).toEqual([]);
    rmSync(paths.account);
    for (const other of [undefined, 'wrong horse'])
      await expect(enrolHome(paths, invite, 'phone', other)).rejects.toMatchObject({
        code: 'input/wrong-passphrase',
      });
    await expect(enrolHome(paths, invite, 'laptop', 'correct horse')).rejects.toMatchObject({
      code: 'input/invalid-argument',
    });
    expect(await enrolHome(paths, invite, 'phone', 'correct horse')).toEqual(first);
    // With another invitation it is another device.
    rmSync(paths.account);
    const next = await enrolHome(paths, server.invite(), 'laptop', 'correct horse');
    expect(next.device).not.toBe(first.device);
  });
});

describe('the server', () => {
  const startKilled = (folders: ServerFolders, port: string, at: number) =>
    start(process.execPath, [...preload, bin, 'serve', '--port', port, '--json', ...folderOptions(folders)], {
      env: { KEEPSET_KILL_AT: String(at) },
    });

  /** Moments of a server that starts, does `work`, and stops. */
  const serverMoments = async (folders: ServerFolders, port: string, work: () => Promise<unknown>) =>
    momentsOf(async (env) => {
      const running = start(
        process.execPath,
        [...preload, bin, 'serve', '--port', port, '--json', ...folderOptions(folders)],
        { env },
      );
      await new Promise<void>((resolve) => running.child.stdout?.once('data', () => resolve()));
      await work();
      running.child.kill('SIGTERM');
      return running.ended;
    });

  it('killed at any moment of its first start: it starts then, and is whole', async () => {
    const moments = await serverMoments(serverFolders(), '0', () => Promise.resolve());
    for (const at of spread(1, moments.length, 5)) {
      const folders = serverFolders();
      const killed = startKilled(folders, '0', at);
      // The last moments are those of stopping.
      killed.child.stdout?.once('data', () => killed.child.kill('SIGTERM'));
      await killed.ended;
      const server = await serve(folders);
      expect(server.invitation).not.toBeNull();
      expect(await server.stop('SIGKILL')).toMatchObject({ signal: 'SIGKILL' });
    }
  });

  it('killed at any moment of a key generation and a signature: both sides hold the key, or neither', async () => {
    const folders = serverFolders();
    const home = temporaryFolder();
    const first = await serve(folders);
    await enrolHome(homePaths({ home }), first.invitation ?? '', 'phone', undefined);
    const { port } = first;
    await first.stop();
    /** The same server and device, as they were at enrolment. */
    const fresh = () => {
      const [server, device] = [serverFolders(), temporaryFolder()];
      cpSync(folders.data, server.data, { recursive: true });
      cpSync(folders.kek, server.kek, { recursive: true });
      for (const file of ['identity.txt', 'account.cbor']) cpSync(join(home, file), join(device, file));
      return { server, device };
    };
    const work = async (at: string): Promise<void> => {
      const { device, close } = await openHome(at);
      try {
        const { keyId } = await runKeygen(device, { scheme: 'ed25519', policy });
        await runSign(device, { keyId, request });
      } finally {
        close();
      }
    };
    const rehearsal = fresh();
    const moments = await serverMoments(rehearsal.server, port, () => work(rehearsal.device));
    const outcomes = new Set<string>();
    // Answers go out at these moments, the last but one of them with the key.
    const sent = moments.flatMap((moment, at) => (moment === 'response.end' ? [at + 1] : []));
    const [before = 0, committed = 0, signed = 0] = sent.slice(-3);
    expect(sent.length).toBeGreaterThanOrEqual(3);
    const points = [
      before,
      ...spread(before + 1, committed, 5),
      ...spread(committed + 1, signed, 3),
      Infinity,
    ];
    for (const at of points) {
      const { server: own, device } = fresh();
      const killed = startKilled(own, port, at);
      await new Promise<void>((resolve) => {
        killed.child.stdout?.once('data', () => resolve());
        killed.child.once('exit', () => resolve());
      });
      const worked = await work(device).then(
        () => 'worked',
        (error: unknown) => (error instanceof KeepsetError ? error.code : String(error)),
      );
      if (worked === 'worked') killed.child.kill('SIGTERM');
      else expect(worked).toMatch(/^(transport\/unreachable|store\/session-void)$/);
      await killed.ended;
      const again = await serve(own, ['--port', port]);
      const { notes, keys } = await expectWhole(device);
      outcomes.add(`${worked}, ${notes.length} notes, ${keys.length} keys`);
      await again.stop('SIGKILL');
    }
    expect(outcomes).toContain('transport/unreachable, 1 notes, 0 keys');
    expect(outcomes).toContain('transport/unreachable, 1 notes, 1 keys');
    expect(outcomes).toContain('worked, 0 notes, 1 keys');
  });
});

it('a home that was never cut off has nothing to settle', async () => {
  const server = await startServer(serverOptions());
  const home = temporaryFolder();
  await enrolHome(homePaths({ home }), server.invite(), 'phone', undefined);
  const { device, close } = await openHome(home);
  expect(await settleOpenSessions(device)).toEqual([]);
  close();
  await server.close();
});
