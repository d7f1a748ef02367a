/** Formats that images are converted to. */
export const TARGET_FORMATS = ['png', 'jpeg', 'webp', 'avif'] as const;

export type TargetFormat = (typeof TARGET_FORMATS)[number];

/** What becomes of an image. */
export interface ConvertOptions {
  format: TargetFormat;
  /** 1 to 100; not for PNG, which loses nothing. @default 90, for AVIF 60 */
  quality?: number | undefined;
  /** Pixels; the image is made to fit, never enlarged. */
  maxWidth?: number | undefined;
  maxHeight?: number | undefined;
  /** Nothing but the picture: no EXIF, no XMP, no texts. @default false */
  stripMetadata?: boolean | undefined;
}

/** Pixels that a side may have, by format; libvips's limit for AVIF. */
export const MAX_SIDE: Record<TargetFormat, number> = {
  png: 65_535,
  jpeg: 65_535,
  webp: 16_383,
  avif: 16_384,
};
