/** Keys that open files, their openings, and the same done by a key that the test puts together. */
import { createECDH } from 'node:crypto';
import {
  protocolFor,
  type KeyShare,
  type OpenedPoint,
  type OpeningProtocol,
  type PartyId,
} from '../../src/index.ts';
import {
  hex,
  partyNames,
  resultsOf,
  seededRng,
  sha256,
  theOne,
  unhex,
  type Starts,
} from '../frost/network.ts';
import { interpolate } from '../life/setup.ts';

export type Shares = ReadonlyMap<PartyId, KeyShare>;

export const opening: OpeningProtocol = theOne(protocolFor('ecdh-p256').opening);

const keys = new Map<string, Shares>();

/** A `threshold`-of-`n` key of the first n parties, generated once by its parties. */
export const keyOf = (threshold: number, n: number): Shares => {
  const name = `ecdh ${threshold} ${n}`;
  const parties = partyNames.slice(0, n);
  const policy = `thresh(${threshold},${parties.join(',')})`;
  const common = { scheme: 'ecdh-p256', session: sha256(name), policy, parties, threshold } as const;
  const made =
    keys.get(name) ??
    resultsOf(
      new Map(
        parties.map((me) => [
          me,
          () => protocolFor('ecdh-p256').startKeygen({ ...common, me, rng: seededRng(`${name} ${me}`) }),
        ]),
      ),
    );
  keys.set(name, made);
  return made;
};

/** A file's ephemeral key pair by OpenSSL. */
export const ephemeralOf = (seed: string): { readonly point: Uint8Array; readonly secret: Uint8Array } => {
  const pair = createECDH('prime256v1');
  pair.setPrivateKey(sha256(seed));
  return { point: Uint8Array.from(pair.getPublicKey()), secret: sha256(seed) };
};

/** ECDH by OpenSSL. @param peer either form. */
export const opensslAgree = (secret: Uint8Array, peer: Uint8Array): string => {
  const own = createECDH('prime256v1');
  own.setPrivateKey(secret);
  return own.computeSecret(peer).toString('hex');
};

/** The private key, which only a test ever puts together. */
export const assembled = (shares: Shares, parties: readonly PartyId[]): Uint8Array =>
  unhex(interpolate(shares, parties).toString(16).padStart(64, '0'));

export interface OpenOptions {
  readonly opener?: PartyId;
  readonly seed?: string;
  readonly session?: Uint8Array;
}

export const openStarts = (
  shares: Shares,
  quorum: readonly PartyId[],
  ephemeral: Uint8Array,
  { opener = theOne(quorum[0]), seed = 'opening', session = sha256(`session ${seed}`) }: OpenOptions = {},
): Starts<OpenedPoint> =>
  new Map(
    quorum.map((me) => {
      const share = theOne(shares.get(me));
      const params = { share, session, quorum, opener, ephemeral };
      return [me, () => opening.startOpen({ ...params, rng: seededRng(`${seed} ${me}`) })];
    }),
  );

/** What each party learns: the shared x-coordinate in hex, or undefined. */
export const learned = (results: ReadonlyMap<PartyId, OpenedPoint>): Record<PartyId, string | undefined> =>
  Object.fromEntries(
    [...results].map(([party, { shared }]) => [
      party,
      shared === undefined ? undefined : hex(shared.reveal()),
    ]),
  );
