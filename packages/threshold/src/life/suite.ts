/**
 * What refresh, repair and reshare need to know of a scheme: its group, the form of its secrets, and the setup that
 * each pair of parties keeps beside the shares, if the scheme has one.
 */
import type { Secret } from '@keepset/bytes';
import type { Rng } from '../ceremony.ts';
import type { CurvePort } from '../curve/port.ts';
import type { KeyShare, Scheme } from '../key.ts';
import type { PartyId } from '../machine.ts';

/** The secret of a share, opened. `S` is what a party keeps for each peer. */
export interface OpenSecret<S> {
  /** The party's sub-shares, one for each of its leaves in the policy. */
  readonly shares: readonly bigint[];
  /** In policy order. Empty for schemes without pairwise state. */
  readonly pairs: ReadonlyMap<PartyId, S>;
}

/** One scheme's part in the life of a key. */
export interface LifeSuite<S> {
  readonly scheme: Scheme;
  readonly curve: CurvePort;
  /** @throws KeepsetError `place/damaged` or `abort/state-consumed` */
  openSecret(share: KeyShare): OpenSecret<S>;
  sealSecret(secret: OpenSecret<S>): Secret;
  /** Only schemes with pairwise state: a fresh setup with one peer. */
  readonly startPair?: (pair: Pair, rng: Rng) => PairSetup<S>;
}

/** A pair of parties, and what binds its setup to one ceremony. */
export interface Pair {
  /** Context hash of the ceremony. */
  readonly context: Uint8Array;
  readonly me: PartyId;
  readonly peer: PartyId;
  /** Whether this party stands before the peer in the key's order of parties. */
  readonly isEarlier: boolean;
}

/**
 * A setup with one peer as one party runs it. It rides on rounds 1 to 3 of a ceremony; in each, either party sends
 * the other one part. `next` takes the peer's part of the same round, once; it throws a KeepsetError that names the
 * peer if what it sent is wrong.
 */
export interface PairStep<T> {
  readonly part: Uint8Array;
  next(theirs: Uint8Array): T;
}

/** The three rounds of a setup, one after another, and what they come to. */
export type PairSetup<S> = PairStep<PairStep<PairStep<S>>>;
