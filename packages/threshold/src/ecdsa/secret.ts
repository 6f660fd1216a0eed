/** What a party keeps of an ECDSA key: its share, and with each other party the state that signing needs. */
import * as v from 'valibot';
import { KeepsetError, Secret, bytesOfLength, decodeAs, encodeCbor, type Schema } from '@keepset/bytes';
import type { CurvePort } from '../curve/port.ts';
import type { KeyShare } from '../key.ts';
import type { PartyId } from '../machine.ts';
import type { ExtensionReceiver, ExtensionSender } from './ot-extension.ts';
import { leavesPerTree, maxParties, securityBits, seedBytes, treeCount } from './parameters.ts';

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
  /** Value of the sharing polynomial at this party's place. */
  readonly share: bigint;
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
  share: bytesOfLength(32),
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
    v.maxLength(maxParties - 1),
  ),
});

/** Canonical CBOR of the secret; its form is part of spec/ecdsa.md. */
export const encodeSecret = (curve: CurvePort, secret: EcdsaSecret): Secret =>
  new Secret(
    encodeCbor({
      version: 1,
      share: curve.encodeScalar(secret.share),
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
  const share = curve.decodeScalar(encoded.share);
  const peers = group.parties.filter((other) => other !== party);
  const places = encoded.pairs.map((pair) => peers.indexOf(pair.peer));
  if (share === undefined || places.some((place, i) => place <= (places[i - 1] ?? -1))) throw damaged();
  return {
    share,
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
