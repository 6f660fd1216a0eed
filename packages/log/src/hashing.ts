import { concatBytes } from '@keepset/bytes';
import { sha256 } from '@noble/hashes/sha2.js';

/** Length of every hash in the log, in bytes. */
export const HASH_LENGTH = 32;

const leafPrefix = Uint8Array.of(0x00);
const nodePrefix = Uint8Array.of(0x01);

/** Hash of one entry as a leaf, 32 bytes. @spec RFC 6962 §2.1 */
export const leafHash = (entry: Uint8Array): Uint8Array => sha256(concatBytes(leafPrefix, entry));

/** Hash of an inner node, 32 bytes. @spec RFC 6962 §2.1 */
export const nodeHash = (left: Uint8Array, right: Uint8Array): Uint8Array =>
  sha256(concatBytes(nodePrefix, left, right));

/** Root of the tree without entries: SHA-256 of nothing, 32 bytes. @spec RFC 6962 §2.1 */
export const emptyRoot = (): Uint8Array => sha256(new Uint8Array(0));

/**
 * Root over all leaf hashes, in order. It keeps no more than one hash per tree level,
 * so an auditor can stream a whole log through it.
 * @spec RFC 6962 §2.1
 */
export const rootOfLeaves = (leafHashes: Iterable<Uint8Array>): Uint8Array => {
  // Roots of complete subtrees, largest first; two of the same level become one of the next.
  const complete: { level: number; hash: Uint8Array }[] = [];
  for (const leaf of leafHashes) {
    let subtree = { level: 0, hash: leaf };
    for (let last = complete.at(-1); last?.level === subtree.level; last = complete.at(-1)) {
      subtree = { level: subtree.level + 1, hash: nodeHash(last.hash, subtree.hash) };
      complete.pop();
    }
    complete.push(subtree);
  }
  return foldRight(complete.map(({ hash }) => hash)) ?? emptyRoot();
};

/** Joins the roots of neighbouring complete subtrees, largest first, into the root over all of them. */
export const foldRight = (hashes: readonly Uint8Array[]): Uint8Array | undefined => {
  let root = hashes.at(-1);
  for (let at = hashes.length - 2; at >= 0; at -= 1) {
    const left = hashes[at];
    if (left !== undefined && root !== undefined) root = nodeHash(left, root);
  }
  return root;
};
