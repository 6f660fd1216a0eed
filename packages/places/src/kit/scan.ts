/** A picture: RGB or RGBA, row by row. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** Texts of all QR codes in the pictures. Codes that cannot be read are left out. */
export const scanCodes = async (pictures: readonly Picture[]): Promise<string[]> => {
  const { decodeQRBatch } = await import('qr/decode.js');
  // Generous: nobody waits for a camera frame here.
  const results = await decodeQRBatch(pictures, { effort: 8, timeLimit: 60_000 });
  return results.flat().filter((result) => typeof result === 'string');
};
