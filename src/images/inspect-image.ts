import sharp, { type Metadata } from 'sharp';
import { ByteReader } from './byte-reader.js';
import { readGifLayout } from './gif-layout.js';
import { type ImageFormat, imageFormatOf } from './image-format.js';
import { damaged, ImageError } from './image.error.js';
import type { Layout } from './layout.js';
import { readPngLayout } from './png-layout.js';
import { readOtherLayout } from './other-layout.js';
import type { ImageInfo } from './tasks.js';

/** More frames than anybody means. */
const MAX_FRAMES = 10_000;

/**
 * What an image is and says of itself; nothing of it is decoded for that.
 * @returns undefined for what is not decoded here
 * @throws ImageError `too_many_pixels` · `damaged`
 */
export async function inspectImage(path: string, maxPixels: number): Promise<ImageInfo | undefined> {
  const format = await imageFormatOf(path);
  if (format === undefined) {
    const other = await readOtherLayout(path);
    if (other !== undefined) expectPixels(other, maxPixels);
    // Pillow maps the grey ones into memory, and makes nothing of a part (tried on 0.3.64 and 0.8.0).
    if (other?.truncated && other.grey) throw damaged('other');
    return other === undefined ? undefined : { format: 'other', ...other };
  }
  const layout = await layoutOf(path, format, maxPixels);
  expectPixels(layout, maxPixels);
  return { format, ...layout };
}

async function layoutOf(path: string, format: ImageFormat, maxPixels: number): Promise<Layout> {
  const read = format === 'png' ? readPngLayout : format === 'gif' ? readGifLayout : undefined;
  const walked = read && (await ByteReader.with(path, read));
  if (read !== undefined && walked === undefined) throw damaged(format);
  // Before the decoder sees it: opening a GIF runs through all of its frames.
  if (walked !== undefined) expectPixels(walked, maxPixels);
  // The decoder here may not open what is cut off.
  if (walked?.truncated) return walked;
  let metadata: Metadata;
  try {
    metadata = await sharp(path, { limitInputPixels: false }).metadata();
  } catch (error) {
    throw damaged(format, error);
  }
  if (!isSame(metadata, format)) throw damaged(format);
  const { width, height, pages = 1 } = metadata;
  if (format === 'tiff') await expectPages(path, pages, maxPixels);
  return { width, height, frames: walked?.frames ?? pages };
}

/** Pages of a TIFF may differ in size. @throws ImageError `too_many_pixels` · `damaged` */
async function expectPages(path: string, pages: number, maxPixels: number): Promise<void> {
  expectPixels({ width: 0, height: 0, frames: pages }, maxPixels);
  let pixels = 0;
  for (let page = 0; page < pages; page += 1) {
    const { width, height } = await sharp(path, { limitInputPixels: false, page })
      .metadata()
      .catch((error: unknown) => {
        throw damaged('tiff', error);
      });
    pixels += width * height;
    if (pixels > maxPixels) throw tooManyPixels(`more than ${pixels - 1} pixels`, maxPixels);
  }
}

function isSame({ format }: Metadata, expected: ImageFormat): boolean {
  return format === expected || (format === 'heif' && expected === 'avif');
}

/** @throws ImageError `too_many_pixels` */
function expectPixels({ width, height, frames }: Layout, maxPixels: number): void {
  if (width * height * frames <= maxPixels && frames <= MAX_FRAMES) return;
  throw tooManyPixels(`${width} × ${height} pixels${frames > 1 ? ` in ${frames} frames` : ''}`, maxPixels);
}

function tooManyPixels(size: string, maxPixels: number): ImageError {
  return new ImageError(
    'too_many_pixels',
    `The image has ${size}; this server takes ${maxPixels / 1_000_000} megapixels at most, all frames counted (IMAGE_MAX_MEGAPIXELS), and ${MAX_FRAMES} frames.`,
  );
}
