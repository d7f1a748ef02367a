import type { ImageFormat } from './image-format.js';

/**
 * `too_many_pixels`: more than may be decoded, all frames counted. `damaged`: cut off, or not what its first bytes say.
 * `not_supported`: an image, or a conversion of it, that cannot be done here. `too_slow`: it took longer than images may.
 * `failed`: nobody expected it.
 */
export type ImageErrorCode = 'too_many_pixels' | 'damaged' | 'not_supported' | 'too_slow' | 'failed';

/** What is wrong with an image, in words for the caller: a whole sentence, without paths or what a library said. */
export class ImageError extends Error {
  override readonly name = 'ImageError';

  constructor(
    readonly code: ImageErrorCode,
    message: string,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

export function damaged(format: ImageFormat, cause?: unknown): ImageError {
  return new ImageError(
    'damaged',
    `The image cannot be read: it begins like ${NAMES[format]}, but is cut off or damaged.`,
    cause,
  );
}

const NAMES: Record<ImageFormat, string> = {
  png: 'a PNG',
  jpeg: 'a JPEG',
  webp: 'a WebP',
  avif: 'an AVIF',
  gif: 'a GIF',
  tiff: 'a TIFF',
  heif: 'a HEIF',
  other: 'an image',
};
