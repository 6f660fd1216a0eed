/** Scalars one after another. A party's secret and what a dealer gives it have one for each of its leaves. */
import type { CurvePort } from './port.ts';

/** 32 bytes for each. */
export const encodeScalars = (curve: CurvePort, scalars: readonly bigint[]): Uint8Array => {
  const bytes = new Uint8Array(32 * scalars.length);
  const view = new DataView(bytes.buffer);
  scalars.forEach((scalar, i) => {
    curve.writeInteger(view, 32 * i, scalar);
  });
  return bytes;
};

/** Undefined unless these are exactly `count` scalars below the order. */
export const decodeScalars = (
  curve: CurvePort,
  bytes: Uint8Array,
  count: number,
): readonly bigint[] | undefined => {
  if (bytes.length !== 32 * count) return undefined;
  const scalars: bigint[] = [];
  for (let i = 0; i < count; i += 1) {
    const scalar = curve.decodeScalar(bytes.subarray(32 * i, 32 * (i + 1)));
    if (scalar === undefined) return undefined;
    scalars.push(scalar);
  }
  return scalars;
};
