/**
 * Lives that end at a moment of their own, and ports that end with them: whatever a dead side had called never returns.
 */
import type { OpenFile } from '@keepset/places';
import type { Lock } from '../../apps/cli/src/home/lock.ts';

/** A side's life: the moments it passed, and the one at which it ends. */
export interface Life {
  /** `before x` and `after x` for each operation x, in order. */
  readonly moments: string[];
  /** Resolves with the moment at which the side died. */
  readonly death: Promise<string>;
  readonly isDead: () => boolean;
  /** Lets it end at the moment of this number from now on, counted from 0. */
  readonly endIn: (count: number) => void;
  /** Returns at once, or never. */
  pass(moment: string): Promise<void>;
}

/** A life that ends at moment number `end`, counted from 0, or never. */
export const newLife = (end = Infinity, onDeath: () => void = () => undefined): Life => {
  const moments: string[] = [];
  const { promise: death, resolve } = Promise.withResolvers<string>();
  let dead = false;
  let last = end;
  const never = new Promise<never>(() => undefined);
  return {
    moments,
    death,
    isDead: () => dead,
    endIn: (count) => {
      last = moments.length + count;
    },
    pass: (moment) => {
      if (dead) return never;
      moments.push(moment);
      if (moments.length <= last) return Promise.resolve();
      dead = true;
      onDeath();
      resolve(moment);
      return never;
    },
  };
};

type Method = (...args: unknown[]) => unknown;

/** The same port, but each call passes two moments of `life`: before it does anything, and after it did. */
export const mortal = <T extends object>(port: T, name: string, life: Life): T =>
  new Proxy(port, {
    get: (target, property) => {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== 'function' || typeof property !== 'string') return value;
      return async (...args: unknown[]) => {
        await life.pass(`before ${name}.${property}`);
        const result: unknown = await (value as Method).apply(target, args);
        await life.pass(`after ${name}.${property}`);
        return isOpenFile(result) ? mortalFile(result, name, life) : result;
      };
    },
  });

const isOpenFile = (value: unknown): value is OpenFile =>
  typeof value === 'object' && value !== null && 'sync' in value && 'write' in value;

/** A write may also end half done. */
const mortalFile = (file: OpenFile, name: string, life: Life): OpenFile => {
  // Whoever dies, the system closes the files.
  void life.death.then(() => file.close()).catch(() => undefined);
  const whole = mortal(file, `${name}.file`, life);
  return {
    sync: () => whole.sync(),
    close: () => whole.close(),
    write: async (bytes) => {
      const half = Math.floor(bytes.length / 2);
      await file.write(bytes.subarray(0, half));
      await life.pass(`half-way through ${name}.file.write`);
      await whole.write(bytes.subarray(half));
    },
  };
};

/** A lock that its holder's death frees, as the end of a process does. */
export const mortalLock =
  (lock: Lock, life: Life): Lock =>
  async <T>(work: () => Promise<T>): Promise<T> => {
    await life.pass('before device.exclusively');
    const result = await lock(() => Promise.race([work(), life.death]));
    await life.pass('after device.exclusively');
    return result as T;
  };

/** Runs `work` until it ends or one of `lives` does. */
export const untilDeath = async (work: Promise<unknown>, ...lives: readonly Life[]): Promise<void> => {
  const quiet = work.then(
    () => undefined,
    () => undefined,
  );
  await Promise.race([quiet, ...lives.map(({ death }) => death)]);
};
