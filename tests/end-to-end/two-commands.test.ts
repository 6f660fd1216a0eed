/** `npm start` and the command itself on the machine's own Node, old or modern. */
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { delimiter, dirname, join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { projectRoot, temporaryFolder } from '../support/folders.ts';
import {
  bin,
  checkoutBin,
  firstLine,
  folderOptions,
  onlyObject,
  run,
  serverFolders,
  start,
  untilSaid,
  type RunOptions,
} from '../support/processes.ts';

// Many real processes or runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

/** PATH without the Node this project brings along: what a user's shell has. */
const userPath = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((folder) => !folder.includes(join('runtime', 'node_modules')) && !folder.includes('node_modules'))
  .join(delimiter);

const found = spawnSync('node', ['-p', 'process.execPath + " " + process.versions.node'], {
  env: { ...process.env, PATH: userPath },
  encoding: 'utf8',
});
const [machineNode = process.execPath, machineVersion = process.versions.node] =
  found.status === 0 ? found.stdout.trim().split(' ') : [];
/** Runs TypeScript as it is, from 22.18 on. */
const isModern = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 18);
};
const machineIsModern = isModern(machineVersion);
const nodes = [...new Set([machineNode, process.execPath])];

it('these tests run on a Node that is modern', () => {
  expect(isModern(process.versions.node)).toBe(true);
});

describe(`the command on Node ${machineVersion}, this machine's own`, () => {
  const spy = join(temporaryFolder(), 'spy.cjs');
  beforeAll(() => {
    // Says on standard error which processes are started.
    writeFileSync(
      spy,
      `const child = require('node:child_process'); const { spawn } = child;
       child.spawn = (...args) => { process.stderr.write('started ' + args[0] + '\\n'); return spawn(...args); };
       require('node:module').syncBuiltinESMExports();`,
    );
  });
  const keepset = (args: readonly string[], options?: RunOptions) =>
    start(machineNode, ['-r', spy, checkoutBin, ...args], options);

  it(machineIsModern ? 'runs in its own process' : 'hands over to the Node it brings along', async () => {
    const { code, stderr, stdout } = await keepset(['--help']).ended;
    expect(code).toBe(0);
    expect(stdout).toContain('Usage: keepset COMMAND');
    if (machineIsModern) expect(stderr).not.toContain('started');
    else expect(stderr).toMatch(/started .*runtime/);
  });

  it('passes on output, exit code and signals', async () => {
    const refused = await keepset(['keys', '--json', '--home', join(temporaryFolder(), 'none')]).ended;
    expect(refused.code).toBe(2);
    expect(onlyObject(refused.stdout)).toMatchObject({ error: { code: 'input/not-enrolled' } });

    const serve = ['serve', '--port', '0', '--json', ...folderOptions(serverFolders())];
    const server = keepset(serve);
    await firstLine(server);
    server.child.kill('SIGTERM');
    expect(await server.ended).toMatchObject({ code: 0, signal: null });
    expect(server.stderr()).toContain('Stopping');
  });

  it('stops gracefully on Ctrl-C, which a terminal sends to the whole group of processes', async () => {
    const server = keepset(['serve', '--port', '0', '--json', ...folderOptions(serverFolders())], {
      detached: true,
    });
    await firstLine(server);
    process.kill(-server.child.pid!, 'SIGINT');
    expect(await server.ended).toMatchObject({ code: 0, signal: null });
    expect(server.stderr()).toContain('Stopping');
  });

  it('says that it was ended by a signal as a shell would', async () => {
    const waiting = keepset(['sign', '-', '--out', '-'], { detached: true });
    // It reads standard input, which stays open.
    if (!machineIsModern) await untilSaid(waiting, 'started');
    process.kill(-waiting.child.pid!, 'SIGINT');
    const { code, signal } = await waiting.ended;
    expect(signal ?? code).toBe(signal === null ? 130 : 'SIGINT');
  });

  const isReleasedFor = machineIsModern
    ? 'runs as it is released'
    : 'is too old for what is released, which says so';
  it(isReleasedFor, async () => {
    expect(await run(machineNode, [bin, '--help'])).toMatchObject(
      machineIsModern
        ? { code: 0, stdout: expect.stringContaining('Usage: keepset'), stderr: '' }
        : { code: 2, stdout: '', stderr: expect.stringContaining('needs Node 22.18 or later') },
    );
  });
});

/** A project folder like a clone, with its own idea of what is installed. */
const cloneWith = (installed: boolean): string => {
  const root = temporaryFolder();
  for (const folder of ['scripts', 'runtime'])
    cpSync(join(projectRoot, folder), join(root, folder), {
      recursive: true,
      filter: (path) => !path.endsWith('node_modules'),
    });
  for (const file of ['package.json', 'package-lock.json']) cpSync(join(projectRoot, file), join(root, file));
  for (const folder of ['apps', 'packages', 'benchmarks', join('runtime', 'node_modules')])
    if (existsSync(join(projectRoot, folder))) symlinkSync(join(projectRoot, folder), join(root, folder));
  mkdirSync(join(root, 'node_modules'));
  const lock = readFileSync(join(root, 'package-lock.json'));
  const hash = createHash('sha256').update(lock).digest('hex');
  if (installed) writeFileSync(join(root, 'node_modules', '.keepset-lock'), hash);
  return root;
};

describe.each(nodes)('npm start on %s', (node) => {
  const env = { PATH: [dirname(node), userPath].join(delimiter) };

  it('makes a device, a key and a signature, and ends with 0 only because the signature verified', async () => {
    const cwd = cloneWith(true);
    const once = () =>
      run('npm', ['start', '--silent', '--', '--once', '--json', '--port', '0'], { cwd, env });
    const first = await once();
    expect(first).toMatchObject({ code: 0 });
    expect(onlyObject(first.stdout)).toMatchObject({ verified: true });
    const second = await once();
    expect(second).toMatchObject({ code: 0 });
    const keyOf = ({ stdout }: { readonly stdout: string }) => onlyObject(stdout)['keyId'];
    expect(keyOf(second)).toBe(keyOf(first));
    expect(existsSync(join(cwd, '.keepset', 'phone', 'identity.txt'))).toBe(true);
  });
});

describe('npm start', () => {
  it('leaves the server running until Ctrl-C, says how to go on, and shows its progress', async () => {
    const cwd = cloneWith(true);
    const running = start('npm', ['start', '--', '--port', '0'], {
      cwd,
      env: { PATH: [dirname(machineNode), userPath].join(delimiter) },
      detached: true,
    });
    await new Promise<void>((resolve, reject) => {
      running.child.stdout?.on('data', () => {
        if (running.stdout().includes('npx keepset sign')) resolve();
      });
      running.ended.then(() => reject(new Error(running.stderr())), reject);
    });
    expect(running.stdout()).toMatch(/verified\s+yes/);
    expect(running.stderr()).toContain('█');
    process.kill(-running.child.pid!, 'SIGINT');
    await running.ended;
    expect(existsSync(join(cwd, '.keepset', 'server', 'keepset.db-wal'))).toBe(false);
  });

  it('installs what the lock file says first, without running any package’s scripts, and only once', async () => {
    const cwd = cloneWith(false);
    const tools = temporaryFolder();
    const log = join(tools, 'log');
    // Stands in for npm: a real install would take the network.
    writeFileSync(join(tools, 'npm'), `#!/bin/sh\necho "$PWD $*" >> '${log}'\n`, { mode: 0o755 });
    const env = { PATH: [tools, dirname(machineNode), userPath].join(delimiter) };
    const once = () =>
      run(machineNode, ['scripts/start.js', '--once', '--json', '--port', '0'], { cwd, env });
    expect(await once()).toMatchObject({ code: 0, stderr: expect.stringContaining('Installing') });
    expect(readFileSync(log, 'utf8')).toMatch(/ ci --ignore-scripts [^\n]*\n$/);
    expect(await once()).toMatchObject({ code: 0, stderr: expect.not.stringContaining('Installing') });
    expect(readFileSync(log, 'utf8').trim().split('\n')).toHaveLength(1);
  });

  it('ends with the exit code of what failed', async () => {
    const cwd = cloneWith(true);
    writeFileSync(join(cwd, '.keepset'), 'in the way');
    const failed = await run(machineNode, ['scripts/start.js', '--once', '--json', '--port', '0'], { cwd });
    expect(failed.code).toBe(7);
    expect(onlyObject(failed.stdout)).toMatchObject({ error: { code: 'store/unavailable' } });
  });
});

describe('npm test', () => {
  /** A clone whose test runner only says how it was called, and reports what it is told. */
  const withRunner = (report: string, code: number): { cwd: string; calls: string } => {
    const cwd = cloneWith(true);
    const calls = join(cwd, 'calls.json');
    const runner = join(cwd, 'node_modules', 'vitest');
    mkdirSync(runner);
    writeFileSync(
      join(runner, 'vitest.mjs'),
      `import { writeFileSync } from 'node:fs';
       const [, , ...args] = process.argv;
       writeFileSync(${JSON.stringify(calls)}, JSON.stringify({ args, node: process.versions.node }));
       const file = args.find((arg) => arg.startsWith('--outputFile.json=')).slice(18);
       ${report === '' ? '' : `writeFileSync(file, ${JSON.stringify(report)});`}
       process.exitCode = ${code};`,
    );
    return { cwd, calls };
  };
  const env = { PATH: [dirname(machineNode), userPath].join(delimiter) };
  const report = JSON.stringify({ numPassedTests: 7, numFailedTests: 1, numPendingTests: 0 });

  it('runs the tests on a modern Node, passes arguments on, counts, and ends as they end', async () => {
    for (const code of [0, 1]) {
      const { cwd, calls } = withRunner(report, code);
      const tested = await run('npm', ['test', '--silent', '--', 'packages/wire', '-t', 'a name'], {
        cwd,
        env,
      });
      expect(tested.code).toBe(code);
      expect(tested.stdout).toContain('7 passed, 1 failed, 0 skipped');
      const { args, node } = JSON.parse(readFileSync(calls, 'utf8')) as { args: string[]; node: string };
      expect(isModern(node)).toBe(true);
      expect(args.slice(0, 1)).toEqual(['run']);
      expect(args.slice(-3)).toEqual(['packages/wire', '-t', 'a name']);
    }
  });

  it('says so when the test runner wrote no report', async () => {
    const { cwd } = withRunner('', 1);
    const tested = await run('npm', ['test', '--silent'], { cwd, env });
    expect(tested.code).toBe(1);
    expect(tested.stdout).toContain('no report');
  });
});

describe('npm run', () => {
  it('bench without a name says which there are', async () => {
    const asked = await run(machineNode, ['scripts/run.js', 'bench'], { cwd: cloneWith(true) });
    expect(asked.code).toBe(2);
    expect(asked.stderr).toMatch(/Benchmarks: .*two-party/);
  });

  it('knows the command by its name: npx keepset', async () => {
    const { bin: bins } = JSON.parse(
      readFileSync(join(projectRoot, 'apps', 'cli', 'package.json'), 'utf8'),
    ) as { bin: Record<string, string> };
    expect(join(projectRoot, 'apps', 'cli', bins['keepset']!)).toBe(checkoutBin);
    const help = await run('npx', ['--no', '--', 'keepset', '--help'], { cwd: projectRoot });
    expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage: keepset') });
  });
});
