/** Whatever piece of a container is named, what lies there lies on that stick. */
import { realpath } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { nodeFileSystem } from '@keepset/places';

/** A container that a path leads into. */
export interface ContainerAround {
  /** Absolute path of the medium's root, without links. */
  readonly root: string;
  readonly kit: string;
  /** Whether the path names the container or one of its own files, and not another one that lies among them. */
  readonly isPiece: boolean;
  /** The slot that it names. */
  readonly slot?: 'enc' | 'bak';
}

/**
 * The container that a path leads into, if it does; the files there are not opened. A link is not followed where it is the
 * path itself. Whether anything lies at the path is for others to say.
 */
export const containerAround = async (path: string): Promise<ContainerAround | undefined> => {
  if ((await nodeFileSystem.facts(path))?.kind === 'other') return undefined;
  const real = await realpath(path).catch(() => resolve(path));
  for (let at = real; at !== dirname(at); at = dirname(at)) {
    const kit = /^keepset-([a-z2-7]{26})$/.exec(basename(at))?.[1];
    if (kit === undefined || !(await isContainer(at))) continue;
    const isOwn = dirname(real) === at && isContainerFile(basename(real));
    const slot = isOwn ? /^share_party\d+\.(enc|bak)$/.exec(basename(real))?.[1] : undefined;
    return {
      root: dirname(at),
      kit,
      isPiece: real === at || isOwn,
      ...(slot === 'enc' || slot === 'bak' ? { slot } : {}),
    };
  }
  return undefined;
};

/** Whether a folder `keepset-KIT` holds a container, or what is left of one. It may hold a folder copy instead. */
export const isContainer = async (folder: string): Promise<boolean> => {
  if ((await nodeFileSystem.facts(folder))?.kind !== 'folder') return false;
  return (await nodeFileSystem.names(folder)).some(isContainerFile);
};

/** @spec spec/usb-container.md, "Files" */
const isContainerFile = (name: string): boolean =>
  /^share_party[1-9]\d?\.(enc|bak)(\.par)?$/.test(name) || name === 'metadata.json';
