/**
 * Complete point formulas for short Weierstrass curves y² = x³ + a·x + b of prime order, in projective coordinates:
 * right for all operands, so that a ladder never branches on them. The same formulas as the library's, with sums of
 * products reduced once instead of term by term, which takes half the time over bigints.
 * @spec eprint 2015/1060 (Renes, Costello, Batina) equation (2), Algorithms 1 and 9
 */

/** Coordinates modulo p; between calls they may be negative or not reduced. */
export interface Projective {
  readonly x: bigint;
  readonly y: bigint;
  readonly z: bigint;
}

/** Addition and doubling of a group, and its neutral element. */
export interface Arithmetic<P> {
  readonly zero: P;
  add(this: void, a: P, b: P): P;
  double(this: void, a: P): P;
}

/** The formulas for one curve; `a` is 0 or a small negative number. */
export const completeFormulas = (p: bigint, a: bigint, b: bigint): Arithmetic<Projective> => {
  const b3 = 3n * b;
  const aa = a * a;
  const add = (l: Projective, r: Projective): Projective => {
    const xx = (l.x * r.x) % p;
    const yy = l.y * r.y;
    const zz = (l.z * r.z) % p;
    const xy = (l.x * r.y + r.x * l.y) % p;
    const yz = (l.y * r.z + r.y * l.z) % p;
    const xz = (l.x * r.z + r.x * l.z) % p;
    const m = a * xz + b3 * zz;
    const e = (a * xx + b3 * xz - aa * zz) % p;
    const f = 3n * xx + a * zz;
    const plus = (yy + m) % p;
    const minus = (yy - m) % p;
    return {
      x: (xy * minus - yz * e) % p,
      y: (f * e + plus * minus) % p,
      z: (yz * plus + xy * f) % p,
    };
  };
  const doubleWhereAIsZero = ({ x, y, z }: Projective): Projective => {
    const yy = (y * y) % p;
    const bzz = (b3 * ((z * z) % p)) % p;
    const yz = (y * z) % p;
    const minus = yy - 3n * bzz;
    return {
      x: (2n * ((x * y) % p) * minus) % p,
      y: (minus * (yy + bzz) + 8n * bzz * yy) % p,
      z: (8n * yy * yz) % p,
    };
  };
  return {
    zero: { x: 0n, y: 1n, z: 0n },
    add,
    double: a === 0n ? doubleWhereAIsZero : (point) => add(point, point),
  };
};
