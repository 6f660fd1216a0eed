/** Shamir's sharing as the textbooks have it, a second time beside the sharing matrix. Party i evaluates at i, from 1. */
import { invariant } from '@keepset/bytes';
import type { CurvePort, GroupPoint } from '../src/curve/port.ts';

/** Value at `x` of the polynomial with the given coefficients, constant first. */
export const evaluatePolynomial = (curve: CurvePort, coefficients: readonly bigint[], x: number): bigint =>
  coefficients.reduceRight((sum, coefficient) => curve.reduce(sum * BigInt(x) + coefficient), 0n);

/** Image at `x` of the polynomial whose coefficients have the given images. Public data only. */
export const evaluateCommitmentsVarTime = (
  curve: CurvePort,
  commitments: readonly GroupPoint[],
  x: number,
): GroupPoint =>
  commitments.reduceRight(
    (sum, commitment) => curve.add(multiplySmallVarTime(curve, sum, x), commitment),
    curve.identity,
  );

const multiplySmallVarTime = (curve: CurvePort, point: GroupPoint, factor: number): GroupPoint => {
  let sum = curve.identity;
  for (let bit = 31 - Math.clz32(factor); bit >= 0; bit--) {
    sum = curve.add(sum, sum);
    if (((factor >> bit) & 1) === 1) sum = curve.add(sum, point);
  }
  return sum;
};

/**
 * Coefficient of the share at `x` when a polynomial is interpolated at 0 from its values at `points`.
 * @param points distinct positive evaluation points that include `x`.
 */
export const lagrangeAtZero = (curve: CurvePort, points: readonly number[], x: number): bigint =>
  lagrangeAt(curve, points, x, 0);

/**
 * Coefficient of the share at `x` when a polynomial is interpolated at `at` from its values at `points`.
 * @param points distinct positive evaluation points that include `x`.
 */
export const lagrangeAt = (curve: CurvePort, points: readonly number[], x: number, at: number): bigint => {
  invariant(
    new Set(points).size === points.length && points.includes(x),
    'evaluation points must be distinct',
  );
  invariant(
    points.every((point) => Number.isSafeInteger(point) && point > 0),
    'evaluation points are positive',
  );
  let numerator = 1n;
  let denominator = 1n;
  for (const other of points) {
    if (other === x) continue;
    numerator = curve.reduce(numerator * BigInt(other - at));
    denominator = curve.reduce(denominator * BigInt(other - x));
  }
  return curve.reduce(numerator * curve.invert(denominator));
};
