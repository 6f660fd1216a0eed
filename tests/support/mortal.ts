/**
 * Commands inside the test's own process that die at a moment of their own: from then on nothing they do takes place,
 * and what the system frees with a process (locks, files, connections) is free. Many times as fast as to kill real
 * processes, which stays the proof that it is the same.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter, once } from 'node:events';
import { main } from '../../apps/cli/src/main.ts';
import type { Terminal } from '../../apps/cli/src/terminal/terminal.ts';
import { watchMoments, type Instead } from './moments.ts';

/** The life of one command, or of several that end together. */
export interface Life {
  /** Those it has passed, in order. */
  readonly moments: readonly string[];
  /** Whether it goes on after this moment. */
  readonly pass: (moment: string) => boolean;
  readonly isDead: () => boolean;
  readonly death: Promise<void>;
  readonly die: () => void;
  /** Notes how something that the system frees with a process is freed. */
  readonly holds: (owner: object, free: () => unknown) => void;
}

/** A life that ends at a moment counted from 1, or never. */
export const newLife = (end = Infinity): Life => {
  const moments: string[] = [];
  const held: (() => unknown)[] = [];
  const owners = new WeakSet();
  let dead = false;
  const { promise: death, resolve } = Promise.withResolvers<void>();
  const die = (): void => {
    if (dead) return;
    dead = true;
    for (const free of held) setFree(free);
    resolve();
  };
  return {
    moments,
    pass: (moment) => {
      if (dead) return false;
      moments.push(moment);
      if (moments.length === end) die();
      return !dead;
    },
    isDead: () => dead,
    death,
    die,
    holds: (owner, free) => {
      if (dead) setFree(free);
      else if (!owners.has(owner)) held.push(free);
      owners.add(owner);
    },
  };
};

/** Whatever is closed already stays so. */
const setFree = (free: () => unknown): void => {
  void Promise.resolve()
    .then(free)
    .catch(() => undefined);
};

const lives = new AsyncLocalStorage<Life>();
const askers = new WeakMap<object, Life>();

const frees: Readonly<Record<string, string>> = {
  'file.sync': 'close',
  'file.write': 'close',
  'file.writeFile': 'close',
  'database.exec': 'close',
  'request.end': 'destroy',
};

/** The dead get no answer; who cannot wait is thrown out. */
const never = (name: string, owner: object): Instead => {
  if (name.startsWith('database.') || name.endsWith('Sync')) throw new Error('dead');
  if (name === 'request.emit') return { value: true };
  if (name === 'request.end' || name === 'response.end') return { value: owner };
  return { value: new Promise(() => undefined) };
};

let watching: Promise<void> | undefined;
const watchAll = (): Promise<void> =>
  watchMoments((name, owner) => {
    // An answer comes in on a connection that others may have opened.
    const life = name === 'request.emit' ? askers.get(owner) : lives.getStore();
    if (life === undefined) return undefined;
    if (name === 'request.end') askers.set(owner, life);
    const free = frees[name];
    if (free !== undefined) life.holds(owner, () => (Reflect.get(owner, free) as () => unknown).call(owner));
    return life.pass(name) ? undefined : never(name, owner);
  });

/** A command that runs in this process. */
export interface Command {
  /** What it has said on standard error so far. */
  readonly said: () => string;
  /** Resolves with the match when it has said something; never if it ends before. */
  readonly until: (pattern: RegExp) => Promise<RegExpExecArray>;
  /** Its exit code and result, or undefined for one that died. Rejects where it goes on for ever. */
  readonly ended: Promise<
    { readonly code: number; readonly json: Readonly<Record<string, unknown>> } | undefined
  >;
}

/** Many times what any command takes on a busy machine, and less than devices wait for each other. */
const patienceMs = 120_000;

/** Starts `keepset ARGS` here, with nobody at the keyboard. */
export const command = (args: readonly string[], life: Life = newLife()): Command => {
  const words = new EventEmitter();
  let said = '';
  let json: Readonly<Record<string, unknown>> = {};
  const terminal: Terminal = {
    json: true,
    canAsk: false,
    result: (data) => {
      json = data;
    },
    note: (text) => {
      said += `${text}\n`;
      words.emit('said');
    },
    progress: () => undefined,
    askYesNo: () => Promise.resolve(false),
    askSecret: () => Promise.reject(new Error('nobody is there')),
  };
  const work = async (): Promise<number | void> => {
    await (watching ??= watchAll());
    const { promise: forEver, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      reject(new Error(`keepset ${args.slice(0, 3).join(' ')} does not end; it said:\n${said}`));
      life.die();
    }, patienceMs);
    try {
      return await Promise.race([lives.run(life, () => main(args, terminal)), life.death, forEver]);
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    said: () => said,
    until: async (pattern) => {
      for (;;) {
        const found = pattern.exec(said);
        if (found !== null) return found;
        await once(words, 'said');
      }
    },
    ended: work().then((code) => (life.isDead() || typeof code !== 'number' ? undefined : { code, json })),
  };
};
