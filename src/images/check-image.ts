import type { Metadata, SharpOptions } from 'sharp';
import { ByteReader } from './byte-reader.js';
import { readGifLayout } from './gif-layout.js';
import { type ImageFormat, imageFormatOf } from './image-format.js';
import type { ImageLimits } from './image-limits.js';
import { ImageError } from './image.error.js';
import type { Layout } from './layout.js';
import { loadSharp, type Sharp } from './load-sharp.js';
import { readPngLayout } from './png-layout.js';

/** An image that was decoded to its end. */
export interface CheckedImage extends Layout {
  format: ImageFormat;
}

/** More frames than anybody means. */
const MAX_FRAMES = 10_000;

/**
 * @returns undefined for what is not decoded here
 * @throws ImageError `too_many_pixels` · `damaged`; the signal's reason
 */
export async function checkImage(
  path: string,
  limits: ImageLimits,
  signal: AbortSignal,
): Promise<CheckedImage | undefined> {
  const format = await imageFormatOf(path);
  if (format === undefined) return undefined;
  const sharp = await loadSharp();
  const layout = await layoutOf(sharp, path, format, limits, signal);
  expectPixels(layout, limits);
  try {
    await decode(sharp, path, format, { layout, limits, signal });
  } catch (error) {
    signal.throwIfAborted();
    // Most HEIF files hold HEVC, which sharp cannot decode: ComfyUI may.
    if (format === 'heif') return undefined;
    throw isPixelLimit(error) ? tooManyPixels(layout, limits) : damaged(format, error);
  }
  return { format, ...layout };
}

/** What the image says of itself; nothing of it is decoded for that. */
export async function layoutOf(
  sharp: Sharp,
  path: string,
  format: ImageFormat,
  limits: ImageLimits,
  signal: AbortSignal,
): Promise<Layout> {
  const read = format === 'png' ? readPngLayout : format === 'gif' ? readGifLayout : undefined;
  const walked = read && (await ByteReader.with(path, signal, read));
  if (read !== undefined && walked === undefined) throw damaged(format);
  // Before the decoder sees it: opening a GIF runs through all of its frames.
  if (walked !== undefined) expectPixels(walked, limits);
  let metadata: Metadata;
  try {
    metadata = await sharp(path, { limitInputPixels: false }).metadata();
  } catch (error) {
    throw damaged(format, error);
  }
  if (!isSame(metadata, format)) throw damaged(format);
  const { width, height, pages = 1 } = metadata;
  return { width, height, frames: walked?.frames ?? pages };
}

/** To the last row of the last frame, into a few pixels. */
async function decode(
  sharp: Sharp,
  path: string,
  format: ImageFormat,
  { layout, limits, signal }: { layout: Layout; limits: ImageLimits; signal: AbortSignal },
): Promise<void> {
  const input = { limitInputPixels: limits.maxPixels, sequentialRead: true };
  const run = (options: SharpOptions) => {
    signal.throwIfAborted();
    return (
      sharp(path, { ...input, ...options })
        .timeout({ seconds: Math.ceil(limits.timeoutMs / 1_000) })
        // All rows count, which a JPEG that is shrunk while it is read would not show.
        .resize({ width: 16, height: 16, fit: 'fill', fastShrinkOnLoad: false })
        .raw()
        .toBuffer()
    );
  };
  switch (format) {
    case 'png':
      // Of an interlaced one that is too short the decoder only warns.
      await run({ failOn: 'warning' });
      break;
    case 'jpeg':
      try {
        await run({ failOn: 'warning' });
      } catch (error) {
        signal.throwIfAborted();
        // What else it warns of is in many photographs that everybody can see.
        if (/premature end/i.test(String(error))) throw error;
        await run({ failOn: 'error' });
      }
      break;
    case 'tiff':
      // Its pages may differ in size.
      for (let page = 0; page < layout.frames; page += 1) await run({ failOn: 'error', page });
      break;
    default:
      await run({ failOn: 'error', pages: -1 });
  }
}

function isSame({ format }: Metadata, expected: ImageFormat): boolean {
  return format === expected || (format === 'heif' && expected === 'avif');
}

/** @throws ImageError `too_many_pixels` */
export function expectPixels(layout: Layout, limits: ImageLimits): void {
  const { width, height, frames } = layout;
  if (width * height * frames > limits.maxPixels || frames > MAX_FRAMES) throw tooManyPixels(layout, limits);
}

function tooManyPixels({ width, height, frames }: Layout, { maxPixels }: ImageLimits): ImageError {
  const size = `${width} × ${height} pixels${frames > 1 ? ` in ${frames} frames` : ''}`;
  return new ImageError(
    'too_many_pixels',
    `The image has ${size}; this server takes ${maxPixels / 1_000_000} megapixels at most, all frames counted (IMAGE_MAX_MEGAPIXELS)${frames > MAX_FRAMES ? `, and ${MAX_FRAMES} frames` : ''}.`,
  );
}

export function damaged(format: ImageFormat, cause?: unknown): ImageError {
  return new ImageError(
    'damaged',
    `The image cannot be read: it begins like ${NAMES[format]}, but is cut off or damaged. Send the whole file.`,
    cause,
  );
}

function isPixelLimit(error: unknown): boolean {
  return error instanceof Error && /pixel limit/i.test(error.message);
}

const NAMES: Record<ImageFormat, string> = {
  png: 'a PNG',
  jpeg: 'a JPEG',
  webp: 'a WebP',
  avif: 'an AVIF',
  gif: 'a GIF',
  tiff: 'a TIFF',
  heif: 'a HEIF',
};
