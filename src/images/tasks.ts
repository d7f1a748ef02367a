import type { ConvertOptions } from './convert-options.js';
import type { ImageErrorCode } from './image.error.js';
import type { ImageFormat } from './image-format.js';
import type { Layout } from './layout.js';

/** What an image is by its bytes, and what it says of itself. */
export interface ImageInfo extends Layout {
  format: ImageFormat;
}

/** Where a converted image is. */
export interface WrittenImage {
  width: number;
  height: number;
  /** Bytes. */
  size: number;
}

/** What a worker can be asked; the answers are those of `TaskResults`. */
export type Task =
  | { type: 'inspect'; path: string; maxPixels: number }
  | { type: 'decode'; path: string; info: ImageInfo; maxPixels: number }
  | {
      type: 'convert';
      path: string;
      info: ImageInfo;
      maxPixels: number;
      target: string;
      options: ConvertOptions;
    };

export interface TaskResults {
  /** Undefined for what is not decoded here. */
  inspect: ImageInfo | undefined;
  /** `unknown`: a HEIF that cannot be decoded here. */
  decode: 'whole' | 'truncated' | 'unknown';
  convert: WrittenImage;
}

export type ResultOf<T extends Task> = TaskResults[T['type']];

/** What a worker says in the end. */
export type Answer =
  | { ok: true; result?: unknown }
  /** `code` absent: nobody expected it. */
  | { ok: false; code?: ImageErrorCode; message: string };
