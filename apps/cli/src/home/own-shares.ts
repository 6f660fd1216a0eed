/** What can be told of the device's own shares from the names of their files, without unlocking it. */
import { listIfThere } from './files.ts';
import type { HomePaths } from './paths.ts';

/** A share as the device itself holds it. */
export interface OwnShare {
  readonly keyId: string;
  readonly epoch: number;
  readonly generation: number;
}

const ownShares = async (paths: HomePaths): Promise<readonly OwnShare[]> =>
  (await listIfThere(paths.shares)).flatMap((name) => {
    const [, keyId, epoch, generation] = /^([a-z2-7]{26})\.(\d+)\.(\d+)\.age$/.exec(name) ?? [];
    return keyId === undefined ? [] : [{ keyId, epoch: Number(epoch), generation: Number(generation) }];
  });

/** The newest share of a key; undefined if this device holds none. */
export const currentShare = async (paths: HomePaths, keyId: string): Promise<OwnShare | undefined> => {
  const [newest] = (await ownShares(paths))
    .filter((share) => share.keyId === keyId)
    .toSorted((a, b) => b.epoch - a.epoch || b.generation - a.generation);
  return newest;
};

/** Keys of which this device holds a share. */
export const heldKeys = async (paths: HomePaths): Promise<readonly string[]> => [
  ...new Set((await ownShares(paths)).map(({ keyId }) => keyId)),
];

/** Keys of which shares of several epochs lie here: after a refresh or reshare, until all copies were rewritten. */
export const unretiredKeys = async (paths: HomePaths): Promise<readonly string[]> => {
  const epochs = Map.groupBy(await ownShares(paths), ({ keyId }) => keyId);
  return [...epochs].flatMap(([keyId, shares]) =>
    new Set(shares.map(({ epoch }) => epoch)).size > 1 ? [keyId] : [],
  );
};
