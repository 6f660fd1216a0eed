/**
 * The small port behind which all group, scalar and hash operations of the threshold protocols lie.
 * `noble.ts` and `hash.ts` implement it; a faster kernel may take their place without a change above.
 *
 * Scalars are bigints in [0, order). Functions named `…VarTime` take time that depends on their arguments
 * and never see secrets. All others run the same sequence of group operations for every scalar; that the
 * bigint arithmetic below them takes equal time, JavaScript cannot promise (docs/threat-model.md).
 */

declare const pointBrand: unique symbol;

/** An element of the prime-order group. Opaque: only the curve that made it can use it. */
export interface GroupPoint {
  readonly [pointBrand]: never;
}

/** Source of randomness: `length` uniform bytes. */
export type RandomBytes = (length: number) => Uint8Array;

/** A prime-order group and its scalar field. */
export interface CurvePort {
  readonly name: 'secp256k1' | 'p256' | 'ed25519';
  /** Order of the group, a 253- to 256-bit prime. */
  readonly order: bigint;
  /** Length of an encoded point. */
  readonly pointBytes: number;
  /** Uniform bytes from which a scalar is made with a bias below 2^-127. */
  readonly wideBytes: number;
  readonly identity: GroupPoint;
  /** The standard generator. */
  readonly generator: GroupPoint;

  add(a: GroupPoint, b: GroupPoint): GroupPoint;
  subtract(a: GroupPoint, b: GroupPoint): GroupPoint;
  equals(a: GroupPoint, b: GroupPoint): boolean;
  isIdentity(point: GroupPoint): boolean;
  /** scalar · generator; scalar may be 0. */
  multiplyGenerator(scalar: bigint): GroupPoint;
  /** scalar · point; scalar may be 0. */
  multiply(point: GroupPoint, scalar: bigint): GroupPoint;
  /** For public scalars and points only. */
  multiplyVarTime(point: GroupPoint, scalar: bigint): GroupPoint;

  /** Canonical encoding; of the identity there is none. @throws KeepsetError `bug/invariant` */
  encodePoint(point: GroupPoint): Uint8Array;
  /** Many points with one field inversion. @throws KeepsetError `bug/invariant` */
  encodePoints(points: readonly GroupPoint[]): Uint8Array[];
  /** Undefined unless canonical, on the curve, in the prime-order group and not the identity. */
  decodePoint(bytes: Uint8Array): GroupPoint | undefined;

  /** 32 bytes in the curve's own byte order: big-endian for SEC 1 curves, little-endian for Ed25519. */
  encodeScalar(scalar: bigint): Uint8Array;
  /** Undefined unless 32 bytes and below the order. */
  decodeScalar(bytes: Uint8Array): bigint | undefined;
  /** Reads 32 bytes without reducing or checking them. */
  readInteger(view: DataView, offset: number): bigint;
  /** Writes a value below 2^256 as 32 bytes. */
  writeInteger(view: DataView, offset: number, value: bigint): void;
  /** Makes a scalar from `wideBytes` uniform bytes. */
  readUniformScalar(view: DataView, offset: number): bigint;

  /** value mod order, for any integer. */
  reduce(value: bigint): bigint;
  /** Inverse of a nonzero scalar, for public scalars only: it takes variable time. @throws KeepsetError `bug/invariant` for 0 */
  invert(scalar: bigint): bigint;
  /** Uniform in [1, order). */
  randomScalar(random: RandomBytes): bigint;
}

/** A curve one can sign ECDSA with. */
export interface EcdsaCurve extends CurvePort {
  readonly name: 'secp256k1' | 'p256';
  /** Random oracle into the group. @spec RFC 9380 §3, suites secp256k1_XMD:SHA-256_SSWU_RO_ and P256_XMD:SHA-256_SSWU_RO_ */
  hashToPoint(message: Uint8Array, domain: string): GroupPoint;
  /** Affine coordinates of a point other than the identity. */
  affine(point: GroupPoint): { readonly x: bigint; readonly yIsOdd: boolean };
  /** a · generator + b · point, for public values only. */
  multiplyAddVarTime(a: bigint, point: GroupPoint, b: bigint): GroupPoint;
}

/** SHA-256. */
export interface HashPort {
  sha256(message: Uint8Array): Uint8Array;
  /**
   * Hashes `count` messages of `length` bytes (at most 55) that lie one after another in `packed`.
   * @returns the digests, 32 bytes each, one after another.
   */
  sha256Each(packed: Uint8Array, length: number, count: number): Uint8Array;
}
