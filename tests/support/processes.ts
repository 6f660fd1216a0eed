/** Real processes: the `keepset` command and others, run to their end or kept running. */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { projectRoot, temporaryFolder } from './folders.ts';

/** The command in a checkout: plain JavaScript that hands over to a modern Node. */
export const checkoutBin: string = join(projectRoot, 'apps', 'cli', 'bin', 'keepset.js');

/** The command as it is released. */
export const bin: string = join(projectRoot, 'dist', 'keepset', 'keepset.js');

/** A process that ended. */
export interface Ended {
  /** Exit code, or null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run a process. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Standard input; none by default. */
  readonly input?: string | Uint8Array;
  /** Makes the process the leader of its own group, so that signals can go to all of the group. */
  readonly detached?: boolean;
}

/** A process that runs. */
export interface Running {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves when the process has ended. */
  readonly ended: Promise<Ended>;
}

const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

/** The environment without anything a developer may have set for Keepset or Node. */
const cleanEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(KEEPSET_|NODE_|VITEST|XDG_|npm_|FORCE_COLOR|NO_COLOR)/.test(name),
    ),
  );

let home: string | undefined;

/** Compiled code is kept between commands, where nobody else can write: hundreds of them run. */
const codeCache = join(projectRoot, 'node_modules', '.cache', 'keepset-tests');

/** Starts a process. Its HOME is an empty folder, so that nothing of the user's own is touched. */
export const start = (command: string, args: readonly string[], options: RunOptions = {}): Running => {
  home ??= temporaryFolder();
  const child = spawn(command, [...args], {
    env: { ...cleanEnvironment(), NODE_COMPILE_CACHE: codeCache, HOME: home, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    detached: options.detached === true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  children.add(child);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // A process may end before it has read all its input.
  child.stdin.on('error', () => undefined);
  if (options.input !== undefined) child.stdin.end(options.input);
  else if (options.detached !== true) child.stdin.end();
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      children.delete(child);
      resolve({ code, signal, stdout, stderr });
    });
  });
  return { child, stdout: () => stdout, stderr: () => stderr, ended };
};

/** Runs a process to its end. */
export const run = (command: string, args: readonly string[], options?: RunOptions): Promise<Ended> =>
  start(command, args, options).ended;

/** Runs `keepset ARGS` on this Node. */
export const keepset = (args: readonly string[], options?: RunOptions): Promise<Ended> =>
  run(process.execPath, [bin, ...args], options);

/** Runs `keepset ARGS --json`, which must print exactly one JSON object on standard output, and nothing else. */
export const keepsetJson = async (
  args: readonly string[],
  options?: RunOptions,
): Promise<Ended & { readonly json: Record<string, unknown> }> => {
  const ended = await keepset([...args, '--json'], options);
  return { ...ended, json: onlyObject(ended.stdout) };
};

/** The one JSON object a text consists of. */
export const onlyObject = (text: string): Record<string, unknown> => {
  const lines = text.split('\n');
  if (lines.length !== 2 || lines[1] !== '') throw new Error(`expected one line of JSON, got:\n${text}`);
  const value: unknown = JSON.parse(lines[0] ?? '');
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`expected a JSON object, got:\n${text}`);
  return value as Record<string, unknown>;
};

/** The error object of a failed `--json` run. */
export const errorOf = ({
  json,
}: {
  readonly json: Record<string, unknown>;
}): {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly retry: string;
} => {
  const { error } = json;
  if (typeof error !== 'object' || error === null) throw new Error(`no error in ${JSON.stringify(json)}`);
  return error as { code: string; message: string; hint: string; retry: string };
};

/** A `keepset serve` process that accepts requests. */
export interface Serving extends Running {
  readonly url: string;
  readonly port: string;
  readonly logKey: string;
  /** Null when devices are enrolled already. */
  readonly invitation: string | null;
  /** Asks it to stop and waits until it has. */
  stop(signal?: NodeJS.Signals): Promise<Ended>;
}

/** The folders of a server. */
export interface ServerFolders {
  readonly data: string;
  readonly kek: string;
}

/** Folders for a new server, the key-encryption key apart from the data. */
export const serverFolders = (): ServerFolders => {
  const folder = temporaryFolder();
  return { data: join(folder, 'data'), kek: join(folder, 'secrets', 'kek') };
};

/** Options of `keepset serve` that name the folders. */
export const folderOptions = ({ data, kek }: ServerFolders): string[] => ['--data', data, '--kek', kek];

/** Starts `keepset serve` and waits until it listens. */
export const serve = async (
  folders: ServerFolders,
  args: readonly string[] = ['--port', '0'],
  options: RunOptions = {},
): Promise<Serving> => {
  const running = start(
    process.execPath,
    [bin, 'serve', ...folderOptions(folders), ...args, '--json'],
    options,
  );
  const first = JSON.parse(await firstLine(running)) as Record<string, unknown>;
  if ('error' in first) throw new Error(`the server did not start: ${JSON.stringify(first)}`);
  const { url, logKey, invitation } = first as { url: string; logKey: string; invitation: string | null };
  return {
    ...running,
    url,
    logKey,
    invitation,
    port: new URL(url).port,
    stop: (signal = 'SIGTERM') => {
      running.child.kill(signal);
      return running.ended;
    },
  };
};

/** Waits for the first line on standard output. */
export const firstLine = ({ child, stdout, stderr, ended }: Running): Promise<string> =>
  new Promise((resolve, reject) => {
    const look = (): void => {
      const [line, ...more] = stdout().split('\n');
      if (line !== undefined && more.length > 0) resolve(line);
    };
    child.stdout?.on('data', look);
    look();
    ended.then(() => reject(new Error(`ended before it said anything:\n${stdout()}${stderr()}`)), reject);
  });

/** Waits until `text` stands on standard error. */
export const untilSaid = (
  { child, ended, ...said }: Running,
  text: string,
  stream: 'stdout' | 'stderr' = 'stderr',
): Promise<void> =>
  new Promise((resolve, reject) => {
    const look = (): void => {
      if (said[stream]().includes(text)) resolve();
    };
    child[stream]?.on('data', look);
    look();
    ended.then(() => reject(new Error(`ended before it said "${text}":\n${said.stderr()}`)), reject);
  });

/** Starts `keepset` on a pseudo-terminal. What it says, on either stream, is its `stdout`. */
export const startOnTerminal = (args: readonly string[], options?: Pick<RunOptions, 'env'>): Running => {
  const command = [process.execPath, bin, ...args];
  const quoted = command.map((word) => `'${word}'`).join(' ');
  const [program, programArgs] =
    process.platform === 'darwin'
      ? ['script', ['-q', '/dev/null', ...command]]
      : ['script', ['-qec', quoted, '/dev/null']];
  return start(program, programArgs, { ...options, detached: true });
};

/** Runs `keepset` on a pseudo-terminal; types each answer when its question stands there. */
export const onTerminal = async (
  args: readonly string[],
  answers: readonly (readonly [question: string, keys: string])[],
): Promise<Ended> => {
  const running = startOnTerminal(args);
  let next = 0;
  running.child.stdout?.on('data', () => {
    const answer = answers[next];
    if (answer === undefined || !running.stdout().includes(answer[0])) return;
    next += 1;
    running.child.stdin?.write(answer[1]);
  });
  return running.ended;
};
