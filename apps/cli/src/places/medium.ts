/**
 * What a file is lost together with: the disk under it. On Linux, partitions, encrypted and joined volumes and images in
 * files are followed to the disks that hold them; elsewhere each volume is taken for a medium of its own.
 * @spec spec/health.md §3
 */
import { readFile, readdir, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { KeepsetError } from '@keepset/bytes';

/** Numbers of devices (on Linux `major:minor`), from the file system down to its disks. */
export type Medium = ReadonlySet<string>;

/** Where Linux says what its devices lie on. */
export interface DeviceTree {
  /** A link for each block device, by its number. */
  readonly blocks: string;
  readonly mounts: string;
}

const linux: DeviceTree = { blocks: '/sys/dev/block', mounts: '/proc/self/mountinfo' };

/** The medium on which `path` lies or would lie. @throws KeepsetError `place/unreachable` */
export const mediumOf = async (path: string, tree: DeviceTree = linux): Promise<Medium> => {
  const { at, dev } = await nearest(path);
  const found = new Set<string>();
  await follow(numberOf(dev), tree, found);
  // Some file systems, such as Btrfs, have numbers that name no device: there the mount does.
  const source = found.size === 1 ? await sourceOf(at, tree) : undefined;
  if (source !== undefined) await follow(source, tree, found);
  return found;
};

/** Whether what happens to one happens to the other. */
export const isSameMedium = (one: Medium, other: Medium): boolean =>
  [...one].some((device) => other.has(device));

/** A device as `stat` gives it, in the words of {@link Medium}. */
export const numberOf = (dev: number): string => {
  if (process.platform !== 'linux') return String(dev);
  const bits = BigInt(dev);
  const major = ((bits >> 8n) & 0xfffn) | ((bits >> 32n) & ~0xfffn);
  const minor = (bits & 0xffn) | ((bits >> 12n) & ~0xffn & 0xffffffffn);
  return `${major}:${minor}`;
};

/** What there is of a path that may not exist yet. */
const nearest = async (path: string): Promise<{ readonly at: string; readonly dev: number }> => {
  for (let at = resolve(path); ; at = dirname(at)) {
    try {
      return { at, dev: (await stat(at)).dev };
    } catch (cause) {
      const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
      if (!isMissing || at === dirname(at))
        throw new KeepsetError('place/unreachable', `${path} cannot be used.`, { cause });
    }
  }
};

/** Adds a device and all that it lies on. */
const follow = async (device: string, tree: DeviceTree, found: Set<string>): Promise<void> => {
  if (found.has(device)) return;
  found.add(device);
  const folder = await realpath(join(tree.blocks, device)).catch(() => undefined);
  if (folder === undefined) return;
  // The folder of a partition lies in that of its disk.
  if ((await textOf(join(folder, 'partition'))) !== undefined)
    await followFile(join(dirname(folder), 'dev'), tree, found);
  for (const below of await readdir(join(folder, 'slaves')).catch(() => []))
    await followFile(join(folder, 'slaves', below, 'dev'), tree, found);
  const image = await textOf(join(folder, 'loop', 'backing_file'));
  // It may lie where this user may not look.
  const below = image === undefined ? [] : await mediumOf(image, tree).catch(() => []);
  for (const each of below) found.add(each);
};

const followFile = async (path: string, tree: DeviceTree, found: Set<string>): Promise<void> => {
  const device = await textOf(path);
  if (device !== undefined) await follow(device, tree, found);
};

/** The device from which the file system of a path was mounted, if it is one. @spec Linux proc_pid_mountinfo(5) */
const sourceOf = async (path: string, { mounts }: DeviceTree): Promise<string | undefined> => {
  const real = await realpath(path);
  let best = { point: '', source: '' };
  for (const line of ((await textOf(mounts)) ?? '').split('\n')) {
    const [place = '', origin = ''] = line.split(' - ').map((part) => part.split(' '));
    const [point = '', source = ''] = [place[4] ?? '', origin[1] ?? ''].map(unescape);
    const isAround = point !== '' && `${real}/`.startsWith(point === '/' ? point : `${point}/`);
    if (isAround && point.length >= best.point.length) best = { point, source };
  }
  if (!best.source.startsWith('/dev/')) return undefined;
  const facts = await stat(best.source).catch(() => null);
  return facts?.isBlockDevice() === true ? numberOf(facts.rdev) : undefined;
};

const unescape = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_all, digits: string) => String.fromCharCode(parseInt(digits, 8)));

const textOf = async (path: string): Promise<string | undefined> =>
  (await readFile(path, 'utf8').catch(() => undefined))?.trim();
