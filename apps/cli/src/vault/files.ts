/** Files that go in and out of sealing and opening. */
import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, constants, link, lstat, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { armor } from 'age-encryption';
import { KeepsetError } from '@keepset/bytes';
import { maxVaultHeaderBytes } from '@keepset/wire';
import { readInput } from '../intents.ts';

/** A file to be read: its beginning, and all of it. */
export interface Source {
  readonly head: Uint8Array;
  readonly stream: () => ReadableStream<Uint8Array>;
}

const armorIntro = '-----BEGIN AGE ENCRYPTED FILE-----';
/** Armored files are read as a whole. Armor is meant for what is pasted into mails. */
const maxArmored = 64 * 1024 * 1024;

/** Opens a file as it is, for sealing; `-` is standard input. @throws KeepsetError `input/invalid-argument` */
export const openPlain = async (file: string): Promise<ReadableStream<Uint8Array>> => {
  if (file === '-') return Readable.toWeb(process.stdin) as ReadableStream<Uint8Array>;
  await readHead(file, 0);
  return streamOf(file);
};

/**
 * Opens an age file, binary or armored; `-` is standard input, which is read as a whole.
 * @throws KeepsetError `input/invalid-argument`, `input/malformed` for damaged armor, `wire/too-large`
 */
export const openSealed = async (file: string): Promise<Source> => {
  if (file === '-') return sourceOf(await readInput(file));
  const head = await readHead(file, maxVaultHeaderBytes);
  if (!isArmored(head)) return { head, stream: () => streamOf(file) };
  if ((await stat(file)).size > maxArmored) throw tooLarge();
  return sourceOf(await readInput(file));
};

const sourceOf = (bytes: Uint8Array): Source => {
  if (isArmored(bytes) && bytes.length > maxArmored) throw tooLarge();
  const binary = isArmored(bytes) ? dearmored(bytes) : bytes;
  return {
    head: binary,
    stream: () => Readable.toWeb(Readable.from([binary])) as ReadableStream<Uint8Array>,
  };
};

const isArmored = (head: Uint8Array): boolean =>
  new TextDecoder().decode(head.subarray(0, 1024)).trimStart().startsWith(armorIntro);

const dearmored = (bytes: Uint8Array): Uint8Array => {
  try {
    return armor.decode(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new KeepsetError('input/malformed', 'The armor of this age file is damaged or cut off.', { cause });
  }
};

const tooLarge = (): KeepsetError =>
  new KeepsetError('wire/too-large', `An armored file may have ${maxArmored} bytes.`, {
    hint: 'Turn it into a binary one first: remove the first and last line and decode the base64 between.',
  });

const readHead = async (file: string, length: number): Promise<Uint8Array> => {
  try {
    const handle = await open(file);
    try {
      if ((await handle.stat()).isDirectory()) throw new TypeError('a folder');
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, 0);
      return new Uint8Array(buffer.subarray(0, bytesRead));
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw new KeepsetError('input/invalid-argument', `${file} cannot be read.`, { cause });
  }
};

const streamOf = (file: string): ReadableStream<Uint8Array> =>
  Readable.toWeb(createReadStream(file)) as ReadableStream<Uint8Array>;

/** Where a result goes. Nothing stands there before it is complete. */
export interface Target {
  /** Writes all of it, durably. @returns how many bytes. Leaves nothing behind if the content throws. */
  write(content: AsyncIterable<Uint8Array>): Promise<number>;
}

/**
 * Chooses a place for a result; `-` is standard output, where it flows as it comes.
 * @param mode permissions, before the umask.
 * @throws KeepsetError `place/exists` unless `force`, `place/unreachable`
 */
export const chooseTarget = async (path: string, mode: number, force: boolean): Promise<Target> => {
  if (path === '-') return { write: writeOut };
  await refuseExisting(path, force);
  try {
    await access(dirname(resolve(path)), constants.W_OK);
  } catch (cause) {
    throw new KeepsetError('place/unreachable', `${path} cannot be written.`, { cause });
  }
  return {
    write: async (content) => {
      // A name of its own: what a run that was killed left behind is in nobody's way.
      const part = `${path}.${randomBytes(4).toString('hex')}.part`;
      try {
        const length = await writeAll(part, mode, content);
        await putInPlace(part, path, force);
        return length;
      } catch (error) {
        await rm(part, { force: true });
        throw asKeepsetError(path, error);
      }
    },
  };
};

const refuseExisting = async (path: string, force: boolean): Promise<void> => {
  const facts = await lstat(path).catch(() => undefined);
  if (facts === undefined) return;
  if (!force) throw existsAlready(path);
  if (!facts.isFile())
    throw new KeepsetError('place/exists', `${path} is no ordinary file.`, { hint: 'Use --out FILE.' });
};

const existsAlready = (path: string, cause?: unknown): KeepsetError =>
  new KeepsetError('place/exists', `${path} exists already.`, {
    hint: 'Use --force to replace it, or --out FILE.',
    cause,
  });

/** Unlike a rename, a new link never replaces a file that came in the meantime. Not every file system has links. */
const putInPlace = async (part: string, path: string, force: boolean): Promise<void> => {
  if (force) return rename(part, path);
  try {
    await link(part, path);
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') throw existsAlready(path, cause);
    await refuseExisting(path, false);
    return rename(part, path);
  }
  await rm(part);
};

const writeAll = async (path: string, mode: number, content: AsyncIterable<Uint8Array>): Promise<number> => {
  const handle = await open(path, 'wx', mode);
  try {
    let length = 0;
    for await (const chunk of content) {
      await handle.writeFile(chunk);
      length += chunk.length;
    }
    await handle.sync();
    return length;
  } finally {
    await handle.close();
  }
};

const writeOut = async (content: AsyncIterable<Uint8Array>): Promise<number> => {
  let length = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of content) {
      length += chunk.length;
      yield chunk;
    }
  };
  try {
    await pipeline(Readable.from(counted()), process.stdout, { end: false });
  } catch (error) {
    throw asKeepsetError('Standard output', error);
  }
  return length;
};

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined;

const asKeepsetError = (path: string, error: unknown): unknown => {
  if (error instanceof KeepsetError || !(error instanceof Error && 'syscall' in error)) return error;
  if (error.syscall === 'read')
    return new KeepsetError('place/unreachable', 'The file cannot be read to its end.', { cause: error });
  return codeOf(error) === 'ENOSPC'
    ? new KeepsetError('place/full', `There is no room for ${path}.`, { cause: error })
    : new KeepsetError('place/unreachable', `${path} cannot be written.`, { cause: error });
};
