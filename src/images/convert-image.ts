import sharp, { type Sharp } from 'sharp';
import { type ConvertOptions, MAX_SIDE } from './convert-options.js';
import { damaged, ImageError } from './image.error.js';
import type { ImageInfo, ResultOf, Task } from './tasks.js';

type ConvertTask = Extract<Task, { type: 'convert' }>;

const WHITE = '#ffffff';

/** From here on encoders take the short way: 100 megapixels of WebP take 6 s instead of 50, of AVIF 9 s instead of minutes. */
const LARGE = 16_000_000;
const MEDIUM = 4_000_000;

/**
 * Writes an image in another format, or smaller, or bare. Turned as its EXIF says, in sRGB; what is transparent becomes white
 * where the format has no transparency.
 * @throws ImageError `not_supported` · `damaged`
 */
export async function convertImage(task: ConvertTask): Promise<ResultOf<ConvertTask>> {
  const { path, info, maxPixels, target, options } = task;
  const animated = expectConvertible(info, options);
  const { width, height } = await sizeOf(path, info, options);
  expectSide(width, height, options);
  const source = sharp(path, {
    limitInputPixels: maxPixels,
    sequentialRead: true,
    failOn: info.format === 'png' ? 'warning' : 'error',
    ...(animated ? { pages: -1 } : {}),
  });
  // Frames cannot be turned, and what makes animations does not ask for it.
  let pipeline = animated ? source : source.autoOrient();
  pipeline = pipeline.resize({ width, height, fit: 'fill' });
  if (options.format === 'jpeg') pipeline = pipeline.flatten({ background: WHITE });
  if (options.stripMetadata !== true) pipeline = pipeline.keepMetadata();
  try {
    const written = await encode(pipeline, options, width * height * info.frames).toFile(target);
    return { width: written.width, height: written.pageHeight ?? written.height, size: written.size };
  } catch (error) {
    throw damaged(info.format, error);
  }
}

/** @returns whether all frames are wanted @throws ImageError `not_supported` */
function expectConvertible({ format, frames }: ImageInfo, options: ConvertOptions): boolean {
  if (frames === 1) return false;
  if (format === 'tiff' || format === 'heif' || format === 'avif') {
    throw new ImageError('not_supported', `The image has ${frames} pages, which cannot be converted.`);
  }
  if (format === 'png') {
    throw new ImageError('not_supported', 'The image is an animated PNG, which cannot be converted.');
  }
  if (options.format !== 'webp') {
    throw new ImageError(
      'not_supported',
      `The image has ${frames} frames, and only WebP keeps them: convert it to webp.`,
    );
  }
  return true;
}

/** What the result measures: it fits into what is wanted, and is never enlarged. */
async function sizeOf(path: string, info: ImageInfo, { maxWidth, maxHeight }: ConvertOptions) {
  const { autoOrient } = await sharp(path, { limitInputPixels: false }).metadata();
  const { width, height } = info.frames > 1 ? info : autoOrient;
  const scale = Math.min(1, (maxWidth ?? width) / width, (maxHeight ?? height) / height);
  return {
    width: Math.max(1, Math.round(width * scale)),
    height: Math.max(1, Math.round(height * scale)),
  };
}

/** @throws ImageError `not_supported` */
function expectSide(width: number, height: number, { format }: ConvertOptions): void {
  if (Math.max(width, height) <= MAX_SIDE[format]) return;
  throw new ImageError(
    'not_supported',
    `The image would have ${width} × ${height} pixels, and ${format} takes ${MAX_SIDE[format]} a side. Set convert.max_width or convert.max_height.`,
  );
}

function encode(pipeline: Sharp, { format, quality }: ConvertOptions, pixels: number): Sharp {
  switch (format) {
    case 'png':
      return pipeline.png();
    case 'jpeg': {
      const wanted = quality ?? 90;
      return pipeline.jpeg({ quality: wanted, chromaSubsampling: wanted >= 90 ? '4:4:4' : '4:2:0' });
    }
    case 'webp':
      return pipeline.webp({ quality: quality ?? 90, effort: pixels > LARGE ? 2 : 4 });
    case 'avif':
      return pipeline.avif({ quality: quality ?? 60, effort: pixels > LARGE ? 1 : pixels > MEDIUM ? 2 : 4 });
  }
}
