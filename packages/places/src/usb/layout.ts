/**
 * Where a container's files lie on the medium: a folder `keepset-KIT` in its root.
 * @spec spec/usb-container.md, "Files"
 */
import { join } from 'node:path';
import { randomBytes } from '@noble/hashes/utils.js';
import { KeepsetError, toBase32, toKeepsetError } from '@keepset/bytes';
import type { FileSystem } from '../fs/port.ts';

/** The two slots. Neither is the spare of the other: the newer one is the copy, the older one is written next. */
export type Slot = 'enc' | 'bak';

/** Both, in the order in which they are tried. */
export const slots: readonly Slot[] = ['enc', 'bak'];

/** The other one. */
export const otherSlot = (slot: Slot): Slot => (slot === 'enc' ? 'bak' : 'enc');

/** A container on a medium. */
export interface ContainerRef {
  readonly files: FileSystem;
  /** Absolute path of the medium's root, or of the folder on it that the user picked. */
  readonly root: string;
  /** 26 base32 characters, random: it tells this container from others and nothing else. */
  readonly kit: string;
  /** Position of the share's holder in its policy, from 1. */
  readonly party: number;
}

/** A fresh kit id. */
export const newKitId = (): string => toBase32(randomBytes(16));

/** The container's folder. */
export const folderOf = ({ root, kit }: ContainerRef): string => join(root, `keepset-${kit}`);

/** A slot's file. */
export const slotPath = (container: ContainerRef, slot: Slot): string =>
  join(folderOf(container), `share_party${container.party}.${slot}`);

/** A slot's parity sidecar. */
export const parityPath = (container: ContainerRef, slot: Slot): string => `${slotPath(container, slot)}.par`;

/** The container's metadata. */
export const metadataPath = (container: ContainerRef): string => join(folderOf(container), 'metadata.json');

/**
 * Whether the medium is still there, asked where it seems to hold nothing: Linux shows a FAT32 stick that was pulled
 * out as an empty one, but a flush of it fails.
 * @throws KeepsetError `place/unreachable`
 */
export const refuseGoneMedium = async (files: FileSystem, folder: string): Promise<void> => {
  try {
    await files.syncFolder(folder);
  } catch (error) {
    const { code } = toKeepsetError(error);
    // Anything else says that it is there and takes no writes.
    if (code === 'place/unreachable' || code === 'place/not-found') throw goneMedium(error);
  }
};

/** The error of a medium of which a name that was there is not found any more. */
export const goneMedium = (cause: unknown): KeepsetError =>
  new KeepsetError('place/unreachable', 'The medium does not answer any more.', {
    hint: 'Plug it in again, and repeat the command.',
    cause,
  });

/**
 * All containers on a medium, in the order of their kit ids. Alters nothing.
 * @throws KeepsetError `place/unreachable`
 */
export const findContainers = async (files: FileSystem, root: string): Promise<ContainerRef[]> => {
  const found: ContainerRef[] = [];
  for (const name of await files.names(root)) {
    const kit = /^keepset-([a-z2-7]{26})$/.exec(name)?.[1];
    if (kit === undefined) continue;
    const folder = join(root, name);
    if ((await files.facts(folder))?.kind !== 'folder') continue;
    const parties = new Set(
      (await files.names(folder)).flatMap((file) => {
        const party = /^share_party([1-9]\d?)\.(enc|bak)(\.par)?$/.exec(file)?.[1];
        return party === undefined ? [] : [Number(party)];
      }),
    );
    for (const party of parties) found.push({ files, root, kit, party });
  }
  if (found.length === 0) await refuseGoneMedium(files, root);
  return found.sort((a, b) => Number(a.kit > b.kit) - Number(a.kit < b.kit) || a.party - b.party);
};

/**
 * The one container on a medium, or the one with the given kit id.
 * @throws KeepsetError `place/not-found`, `place/foreign` (another kit), `input/invalid-argument` (several).
 */
export const findContainer = async (files: FileSystem, root: string, kit?: string): Promise<ContainerRef> => {
  const all = await findContainers(files, root);
  const wanted = kit === undefined ? all : all.filter((container) => container.kit === kit);
  const [first] = wanted;
  if (first !== undefined && wanted.length === 1) return first;
  const kits = all.map((container) => container.kit).join(', ');
  if (all.length === 0)
    throw new KeepsetError('place/not-found', 'There is no container on this medium.', {
      hint: 'If it was formatted by mistake, keepset usb rescue may still find the share.',
    });
  if (first === undefined)
    throw new KeepsetError('place/foreign', `This is another stick: it holds ${kits}.`, {
      hint: `Plug in the one with ${kit}.`,
    });
  throw new KeepsetError('input/invalid-argument', 'There are several containers on this medium.', {
    hint: `Say which: ${kits}.`,
  });
};
