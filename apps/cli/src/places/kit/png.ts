/** PNG files as pictures. */
import { PNG } from 'pngjs';
import { KeepsetError } from '@keepset/bytes';
import type { Picture } from '@keepset/places';
import { readGiven } from '../given-file.ts';

const maxFileBytes = 64 << 20;
/** A sheet of A4 at 1200 dpi has 139 million. */
const maxPixels = 150_000_000;
const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/**
 * Reads a PNG file. Not an interlaced one: pngjs unpacks as much of those as they hold, whatever their size is.
 * @throws KeepsetError `input/invalid-argument` (unreadable, not a PNG, too large, interlaced)
 */
export const readPicture = async (path: string): Promise<Picture> => {
  const file = await readGiven(path, maxFileBytes);
  if (file.length < 29 || !signature.every((byte, i) => file[i] === byte))
    throw new KeepsetError('input/invalid-argument', `${path} is not a PNG picture.`, {
      hint: 'Scan or convert it to PNG: `pdftoppm -r 200 -png scan.pdf page` or `magick photo.jpg photo.png`.',
    });
  const header = new DataView(file.buffer, file.byteOffset);
  // Before anything is unpacked.
  if (header.getUint32(16) * header.getUint32(20) > maxPixels)
    throw new KeepsetError('input/invalid-argument', `${path} has more than ${maxPixels} pixels.`, {
      hint: 'Scan at 200 to 300 dpi.',
    });
  if (file[28] !== 0)
    throw new KeepsetError('input/invalid-argument', `${path} is an interlaced picture.`, {
      hint: 'Save it without interlacing: `magick page.png -interlace none page.png`.',
    });
  try {
    const { width, height, data } = PNG.sync.read(Buffer.from(file));
    return { width, height, data };
  } catch (cause) {
    throw new KeepsetError('input/invalid-argument', `The picture ${path} is damaged.`, { cause });
  }
};
