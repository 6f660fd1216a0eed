/**
 * The protected file: one folder (0700), one file (0600) per copy.
 *
 * A write goes to a temporary file in the same folder, is synced, renamed to its own name (which holds the
 * generation, so nothing newer is ever overwritten), the folder is synced, the file read back; only then do older
 * generations go. Removing a file does not erase it from flash storage: that is what the encryption is for.
 */
import { join } from 'node:path';
import { randomBytes } from '@noble/hashes/utils.js';
import { KeepsetError, bytesEqual, toHex } from '@keepset/bytes';
import { maxShareFileBytes } from '@keepset/wire';
import {
  byName,
  checkCopy,
  checkName,
  checkRead,
  healthOf,
  nothingPending,
  refuseOlder,
  sameGeneration,
} from '../copy.ts';
import { nodeFileSystem } from '../fs/node.ts';
import type { FileSystem } from '../fs/port.ts';
import type { CopyEntry, CopyMeta, CopyName, PendingPlace, StoredCopy } from '../port.ts';
import { propertiesOf } from '../properties.ts';
import { fileNameOf, isTemporaryOf, parseFileName, temporaryNameOf } from './names.ts';

interface Folder {
  readonly files: FileSystem;
  readonly path: string;
}

/**
 * Opens the folder as a place, of the given kind where it is not an ordinary folder; makes it if its parent exists. From then on a missing folder is `place/unreachable`:
 * a vanished medium must not look like an empty one.
 * @throws KeepsetError `place/foreign` if the path is a link or no folder, or if others may enter it;
 * `place/unreachable`, `place/read-only`, `place/full`.
 */
export const openFilePlace = async (
  path: string,
  files: FileSystem = nodeFileSystem,
  kind: FolderKind = 'file',
): Promise<PendingPlace> => {
  await ensureFolder({ files, path });
  return filePlace({ files, path }, kind);
};

/** The places that are a folder of files. */
type FolderKind = 'file' | 'protected-file' | 'secure-enclave';

const ensureFolder = async ({ files, path }: Folder): Promise<void> => {
  const facts = await files.facts(path);
  if (facts === null) {
    await files.makeFolder(path);
    await files.syncFolder(join(path, '..'));
    return;
  }
  if (facts.kind !== 'folder') throw new KeepsetError('place/foreign', 'The share folder is not a folder.');
  if ((facts.mode & 0o077) !== 0)
    throw new KeepsetError('place/foreign', 'Others may enter the share folder.', {
      hint: `Run: chmod 700 '${path}'`,
    });
};

const filePlace = (folder: Folder, kind: FolderKind): PendingPlace => {
  const get = (name: CopyName): Promise<StoredCopy | null> => readCurrent(folder, name);
  return {
    kind,
    describe: () => propertiesOf(kind),
    get,
    put: async (name, bytes, meta) => {
      checkCopy(name, bytes, meta);
      if (!(await isStored(folder, name, bytes, meta))) {
        await writeFile(folder, { ...name, ...meta, state: 'current' }, bytes);
        await confirm(folder, { ...name, ...meta, state: 'current' }, bytes);
      }
      await tidy(folder, { ...name, ...meta, state: 'current' });
    },
    list: async () => [...newest(await entries(folder))].sort(byName),
    remove: async (name) => {
      checkName(name);
      await removeAll(folder, await entriesOf(folder, name, 'current'));
    },
    health: (name) => healthOf(name, get),
    putPending: async (name, bytes, meta) => {
      checkCopy(name, bytes, meta);
      const entry: CopyEntry = { ...name, ...meta, state: 'pending' };
      await writeFile(folder, entry, bytes);
      await confirm(folder, entry, bytes);
      await tidy(folder, entry);
    },
    promote: (name) => promote(folder, name),
    discard: async (name) => {
      checkName(name);
      await removeAll(folder, await entriesOf(folder, name, 'pending'));
      await removeCutOff(folder, name);
    },
  };
};

const readCurrent = async (folder: Folder, name: CopyName): Promise<StoredCopy | null> => {
  checkName(name);
  const [entry] = newest(await entriesOf(folder, name, 'current'));
  if (entry === undefined) return null;
  const bytes = await readEntry(folder, entry);
  checkRead(bytes);
  return { generation: entry.generation, bytes };
};

const readEntry = (folder: Folder, entry: CopyEntry): Promise<Uint8Array> =>
  folder.files.read(join(folder.path, fileNameOf(entry)), maxShareFileBytes);

/** Whether this very copy is the current one already. @throws KeepsetError `place/stale`, `place/exists` */
const isStored = async (
  folder: Folder,
  name: CopyName,
  bytes: Uint8Array,
  { generation }: CopyMeta,
): Promise<boolean> => {
  const [entry] = newest(await entriesOf(folder, name, 'current'));
  if (entry === undefined) return false;
  refuseOlder(generation, entry.generation);
  if (generation > entry.generation) return false;
  if (!bytesEqual(await readEntry(folder, entry), bytes)) throw sameGeneration(generation);
  // The rename may not have been synced when an earlier attempt was cut off.
  await folder.files.syncFolder(folder.path);
  return true;
};

const writeFile = async (folder: Folder, entry: CopyEntry, bytes: Uint8Array): Promise<void> => {
  const { files, path } = folder;
  const temporary = join(path, temporaryNameOf(entry, toHex(randomBytes(8))));
  const file = await files.create(temporary);
  try {
    try {
      await file.write(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await refuseForeign(folder, entry);
    await files.rename(temporary, join(path, fileNameOf(entry)));
  } catch (error) {
    // The first error is the one to report; what is left behind goes with the next write of this copy.
    await files.remove(temporary).catch(() => {});
    throw error;
  }
  await files.syncFolder(path);
};

/** A link or a folder under the copy's name is somebody else's doing: it is reported, not replaced. */
const refuseForeign = async ({ files, path }: Folder, entry: CopyEntry): Promise<void> => {
  const facts = await files.facts(join(path, fileNameOf(entry)));
  if (facts !== null && facts.kind !== 'file')
    throw new KeepsetError('place/foreign', 'Something that is not a file stands where the copy should be.');
};

const confirm = async (folder: Folder, entry: CopyEntry, bytes: Uint8Array): Promise<void> => {
  if (!bytesEqual(await readEntry(folder, entry), bytes))
    throw new KeepsetError('place/damaged', 'The copy does not read back as it was written.');
};

const promote = async (folder: Folder, name: CopyName): Promise<void> => {
  checkName(name);
  const [pending] = newest(await entriesOf(folder, name, 'pending'));
  const [current] = newest(await entriesOf(folder, name, 'current'));
  if (pending === undefined) {
    if (current === undefined) throw nothingPending();
    await folder.files.syncFolder(folder.path);
    return;
  }
  const promoted: CopyEntry = { ...pending, state: 'current' };
  const bytes = await readEntry(folder, pending);
  checkRead(bytes);
  if (await isStored(folder, name, bytes, pending)) await removeAll(folder, [pending]);
  else {
    await refuseForeign(folder, promoted);
    await folder.files.rename(
      join(folder.path, fileNameOf(pending)),
      join(folder.path, fileNameOf(promoted)),
    );
    await folder.files.syncFolder(folder.path);
  }
  await tidy(folder, promoted);
  await tidy(folder, pending);
};

/** Removes what `entry` supersedes: lower generations of the same state, and files that cut-off writes left. */
const tidy = async (folder: Folder, entry: CopyEntry): Promise<void> => {
  const rivals = await entriesOf(folder, entry, entry.state);
  await removeAll(
    folder,
    rivals.filter(({ generation }) =>
      entry.state === 'pending' ? generation !== entry.generation : generation < entry.generation,
    ),
  );
  await removeCutOff(folder, entry);
};

/** Removes files that cut-off writes of a copy left. */
const removeCutOff = async ({ files, path }: Folder, name: CopyName): Promise<void> => {
  for (const file of await files.names(path))
    if (isTemporaryOf(name, file)) await removeIfThere(files, join(path, file));
};

/** Lowest generation first, so that an older one never comes back to the top. Leaves alone what is no file. */
const removeAll = async (folder: Folder, rivals: readonly CopyEntry[]): Promise<void> => {
  const { files, path } = folder;
  if (rivals.length === 0) return;
  for (const entry of [...rivals].sort((a, b) => a.generation - b.generation)) {
    const facts = await files.facts(join(path, fileNameOf(entry)));
    if (facts?.kind === 'file') await removeIfThere(files, join(path, fileNameOf(entry)));
  }
  await files.syncFolder(path);
};

const removeIfThere = async (files: FileSystem, path: string): Promise<void> => {
  try {
    await files.remove(path);
  } catch (error) {
    if (!(error instanceof KeepsetError && error.code === 'place/not-found')) throw error;
  }
};

const entries = async ({ files, path }: Folder): Promise<CopyEntry[]> =>
  (await files.names(path)).map(parseFileName).filter((entry) => entry !== null);

const entriesOf = async (folder: Folder, name: CopyName, state: CopyEntry['state']): Promise<CopyEntry[]> =>
  (await entries(folder)).filter(
    (entry) => entry.keyId === name.keyId && entry.epoch === name.epoch && entry.state === state,
  );

/** The highest generation of each name and state. */
const newest = (all: readonly CopyEntry[]): CopyEntry[] => {
  const best = new Map<string, CopyEntry>();
  for (const entry of all) {
    const key = `${entry.keyId}.${entry.epoch}.${entry.state}`;
    const rival = best.get(key);
    if (rival === undefined || rival.generation < entry.generation) best.set(key, entry);
  }
  return [...best.values()];
};
