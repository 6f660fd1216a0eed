/** What a party keeps of an ECDSA key: its share, and with each other party the state that signing needs. */
import * as v from 'valibot';
import { policyLimits } from '@keepset/access';
import {
  KeepsetError,
  Secret,
  bytesBetween,
  bytesOfLength,
  decodeAs,
  encodeCbor,
  type Schema,
} from '@keepset/bytes';
import type { CurvePort } from '../curve/port.ts';
import { decodeScalars, encodeScalars } from '../curve/scalars.ts';
import type { KeyShare } from '../key.ts';
import type { PartyId } from '../machine.ts';
import { maxRows, sharesOf } from '../sharing.ts';
import type { ExtensionReceiver, ExtensionSender } from './ot-extension.ts';
import { leavesPerTree, securityBits, seedBytes, treeCount } from './parameters.ts';

/** State shared with one other party. Made by a setup, replaced by the next; no signature changes it. */
export interface PairState {
  /** 32 bytes both know, for shares of zero. */
  readonly zeroSeed: Uint8Array;
  /** For the direction in which this party is Alice. */
  readonly sender: ExtensionSender;
  /** For the direction in which this party is Bob. */
  readonly receiver: ExtensionReceiver;
}

/** The secret of an ECDSA share. */
export interface EcdsaSecret {
  /** The party's sub-shares, one for each of its leaves in the policy. */
  readonly shares: readonly bigint[];
  /** In policy order: every other party, or after a repair those that helped in it. */
  readonly pairs: ReadonlyMap<PartyId, PairState>;
}

interface Encoded {
  readonly version: 1;
  readonly share: Uint8Array;
  readonly pairs: readonly {
    readonly peer: string;
    readonly zeroSeed: Uint8Array;
    readonly delta: Uint8Array;
    readonly senderLeaves: Uint8Array;
    readonly receiverLeaves: Uint8Array;
  }[];
}

const schema: Schema<Encoded> = v.strictObject({
  version: v.literal(1),
  share: bytesBetween(32, 32 * maxRows),
  pairs: v.pipe(
    v.array(
      v.strictObject({
        peer: v.string(),
        zeroSeed: bytesOfLength(32),
        delta: bytesOfLength(securityBits / 8),
        senderLeaves: bytesOfLength(treeCount * (leavesPerTree - 1) * seedBytes),
        receiverLeaves: bytesOfLength(treeCount * leavesPerTree * seedBytes),
      }),
    ),
    v.maxLength(policyLimits.parties - 1),
  ),
});

/** Canonical CBOR of the secret; its form is part of spec/ecdsa.md. */
export const encodeSecret = (curve: CurvePort, secret: EcdsaSecret): Secret =>
  new Secret(
    encodeCbor({
      version: 1,
      share: encodeScalars(curve, secret.shares),
      pairs: [...secret.pairs].map(([peer, pair]) => ({
        peer,
        zeroSeed: pair.zeroSeed,
        delta: pair.sender.delta,
        senderLeaves: pair.sender.leaves,
        receiverLeaves: pair.receiver.leaves,
      })),
    }),
  );

/** @throws KeepsetError `place/damaged` if the secret is not what {@link encodeSecret} makes for this group. */
export const decodeSecret = (curve: CurvePort, { group, party, secret }: KeyShare): EcdsaSecret => {
  const damaged = (cause?: unknown): KeepsetError =>
    new KeepsetError('place/damaged', 'The secret of this share is damaged.', { cause });
  let encoded: Encoded;
  try {
    encoded = decodeAs(schema, secret.reveal(), 'ECDSA secret');
  } catch (cause) {
    if (cause instanceof KeepsetError && cause.code === 'abort/state-consumed') throw cause;
    throw damaged(cause);
  }
  const shares = decodeScalars(curve, encoded.share, sharesOf(curve, group, party));
  const peers = group.parties.filter((other) => other !== party);
  const places = encoded.pairs.map((pair) => peers.indexOf(pair.peer));
  if (shares === undefined || places.some((place, i) => place <= (places[i - 1] ?? -1))) throw damaged();
  return {
    shares,
    pairs: new Map(
      encoded.pairs.map((pair) => [
        pair.peer,
        {
          zeroSeed: pair.zeroSeed,
          sender: { delta: pair.delta, leaves: pair.senderLeaves },
          receiver: { leaves: pair.receiverLeaves },
        },
      ]),
    ),
  };
};
