/**
 * The key bag of an encrypted iTunes or Finder backup: class keys wrapped under a key derived from the password.
 * Known from public descriptions of the format, which Apple does not document.
 */
import { createDecipheriv, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import { KeepsetError } from '@keepset/bytes';

const derive = promisify(pbkdf2);

/** One class key. */
interface ClassKey {
  readonly protectionClass: number;
  readonly wrap: number;
  readonly wrapped: Uint8Array;
}

/** The bag as it lies in the backup. */
export interface KeyBag {
  readonly salt: Uint8Array;
  readonly iterations: number;
  /** The slow first derivation, since iOS 10.2. */
  readonly first?: { readonly salt: Uint8Array; readonly iterations: number };
  readonly classKeys: readonly ClassKey[];
}

/** Keys by protection class. */
export type ClassKeys = ReadonlyMap<number, Uint8Array>;

/** More rounds than any backup asks for; a forged bag must not hang the reader. */
const maxIterations = 100_000_000;
/** WRAP bit: wrapped under the password. */
const wrappedByPassword = 2;

/** Reads tag (4 letters), length (4 bytes, big-endian), value. @throws KeepsetError `place/damaged` */
export const parseKeyBag = (bytes: Uint8Array): KeyBag => {
  const items = readItems(bytes);
  // The bag's own fields come first; each further UUID begins a class key.
  const starts = items.flatMap(({ tag }, i) => (tag === 'UUID' ? [i] : []));
  const [, firstKey = items.length, ...later] = starts;
  const head = new Map(items.slice(0, firstKey).map(({ tag, value }) => [tag, value]));
  const salt = head.get('SALT');
  const iterations = numberOf(head.get('ITER'));
  if (salt === undefined || iterations === undefined || !isCount(iterations)) throw damaged();
  const firstSalt = head.get('DPSL');
  const firstIterations = numberOf(head.get('DPIC'));
  if (firstIterations !== undefined && !isCount(firstIterations)) throw damaged();
  const bounds = [firstKey, ...later, items.length];
  const classKeys = bounds.slice(0, -1).flatMap((from, i) => {
    const fields = new Map(items.slice(from, bounds[i + 1]).map(({ tag, value }) => [tag, value]));
    const protectionClass = numberOf(fields.get('CLAS'));
    const wrap = numberOf(fields.get('WRAP'));
    const wrapped = fields.get('WPKY');
    return protectionClass === undefined || wrap === undefined || wrapped?.length !== 40
      ? []
      : [{ protectionClass, wrap, wrapped }];
  });
  return {
    salt,
    iterations,
    ...(firstSalt === undefined || firstIterations === undefined
      ? {}
      : { first: { salt: firstSalt, iterations: firstIterations } }),
    classKeys,
  };
};

const isCount = (iterations: number): boolean => iterations >= 1 && iterations <= maxIterations;

const readItems = (bytes: Uint8Array): { tag: string; value: Uint8Array }[] => {
  const items: { tag: string; value: Uint8Array }[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  while (at + 8 <= bytes.length) {
    const length = view.getUint32(at + 4);
    if (at + 8 + length > bytes.length) throw damaged();
    items.push({
      tag: Buffer.from(bytes.subarray(at, at + 4)).toString('latin1'),
      value: bytes.slice(at + 8, at + 8 + length),
    });
    at += 8 + length;
  }
  return items;
};

const numberOf = (value: Uint8Array | undefined): number | undefined =>
  value?.length === 4 ? new DataView(value.buffer, value.byteOffset, 4).getUint32(0) : undefined;

/** How far the derivation is, from 0 to 1. An estimate by time: the rounds cannot be watched. */
export type OnProgress = (fraction: number) => void;

/**
 * Derives the password key and unwraps every class key it wraps. Seconds for a real backup; runs in the thread pool.
 * @throws KeepsetError `input/wrong-passphrase`, `place/damaged` if the bag has no key under the password
 */
export const unlockKeyBag = async (
  bag: KeyBag,
  password: string,
  onProgress?: OnProgress,
): Promise<ClassKeys> => {
  const own = bag.classKeys.filter(({ wrap }) => (wrap & wrappedByPassword) !== 0);
  if (own.length === 0) throw damaged();
  const first = bag.first;
  const started =
    first === undefined
      ? Buffer.from(password, 'utf8')
      : await withProgress(first.iterations, onProgress, (rounds) =>
          derive(password, first.salt, rounds, 32, 'sha256'),
        );
  const key = await derive(started, bag.salt, bag.iterations, 32, 'sha1').finally(() => started.fill(0));
  const keys = new Map<number, Uint8Array>();
  for (const { protectionClass, wrapped } of own) {
    const unwrapped = unwrapKey(key, wrapped);
    if (unwrapped === null) {
      for (const secret of [key, ...keys.values()]) secret.fill(0);
      throw new KeepsetError('input/wrong-passphrase', 'The password does not open this backup.', {
        hint: 'It is the password set in Finder or iTunes for encrypted backups, not the phone’s passcode.',
      });
    }
    keys.set(protectionClass, unwrapped);
  }
  key.fill(0);
  return keys;
};

/** Runs a fiftieth first, to know how long the whole will take. */
const withProgress = async <T>(
  rounds: number,
  onProgress: OnProgress | undefined,
  run: (rounds: number) => Promise<T>,
): Promise<T> => {
  if (onProgress === undefined) return run(rounds);
  const trialStart = performance.now();
  await run(Math.max(1, Math.floor(rounds / 50)));
  const estimate = (performance.now() - trialStart) * 50;
  onProgress(0);
  const start = performance.now();
  const timer = setInterval(() => onProgress(Math.min(0.99, (performance.now() - start) / estimate)), 100);
  try {
    return await run(rounds);
  } finally {
    clearInterval(timer);
    onProgress(1);
  }
};

/** @returns null if the key is not the right one. @spec RFC 3394 §2.2.2 */
export const unwrapKey = (key: Uint8Array, wrapped: Uint8Array): Uint8Array | null => {
  try {
    const decipher = createDecipheriv('id-aes256-wrap', key, Buffer.alloc(8, 0xa6));
    return Uint8Array.from(Buffer.concat([decipher.update(wrapped), decipher.final()]));
  } catch {
    return null;
  }
};

const damaged = (): KeepsetError =>
  new KeepsetError('place/damaged', 'The key bag of the backup is damaged.');
