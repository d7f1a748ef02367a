import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { CallerKey } from '../shares/index.js';
import type { ConvertOptions, TargetFormat } from './convert-options.js';
import { damaged, ImageError } from './image.error.js';
import { ImageWorkers, type Perform } from './image-workers.js';
import { IMAGES_OPTIONS, type ImagesOptions } from './images.module-definition.js';
import { PixelBudget } from './pixel-budget.js';
import type { ImageInfo, WrittenImage } from './tasks.js';
import { asFile, type ImageSource, inWorkFolder } from './work-folder.js';

const MEGA = 1_000_000;

/** An image that was converted, in a file that is gone when nobody works with it any more. */
export interface ConvertedImage extends WrittenImage {
  contentType: string;
  /** Without the dot. */
  extension: string;
  /** Its bytes; may be called again. */
  open: () => Readable;
}

const EXTENSIONS: Record<TargetFormat, string> = { png: 'png', jpeg: 'jpg', webp: 'webp', avif: 'avif' };

/** Looks into images and converts them, a few at a time, in processes beside this one. */
@Injectable()
export class Images implements OnApplicationShutdown {
  private readonly workers: ImageWorkers;
  private readonly budget: PixelBudget;
  private readonly maxPixels: number;

  constructor(@Inject(IMAGES_OPTIONS) { maxMegapixels = 100, timeoutMs = 120_000 }: ImagesOptions) {
    this.workers = new ImageWorkers(timeoutMs);
    this.maxPixels = maxMegapixels * MEGA;
    this.budget = new PixelBudget(this.maxPixels);
  }

  onApplicationShutdown(): void {
    this.workers.close();
  }

  /**
   * Is the whole image there, and small enough? It is told by its bytes, decoded to its end, and nothing of it is kept. A
   * stream is written to a temporary file first, whatever its size; for that the signal is the only limit of time.
   * @param caller whose share of the workers it takes
   * @returns what it is, with `truncated` where it is cut off and ComfyUI takes it all the same; of the format `other` only the header was
   * read. Undefined where it is nothing of that (JPEG XL, HEIC, a video, a text …): then it was not checked, but for the pixels of HEIC
   * @throws ImageError; the error of the stream; the signal's reason
   */
  check(source: ImageSource, signal: AbortSignal, caller: CallerKey = ''): Promise<ImageInfo | undefined> {
    return inWorkFolder((folder) =>
      this.workers.run(
        async (perform) => {
          const path = await asFile(source, folder, signal);
          const info = await perform({ type: 'inspect', path, maxPixels: this.maxPixels });
          if (info === undefined || info.format === 'other') return info;
          const decoded = await this.budget.hold(pixelsOf(info), signal, () =>
            perform({ type: 'decode', path, info, maxPixels: this.maxPixels }),
          );
          if (decoded === 'unknown') return undefined;
          return decoded === 'truncated' ? { ...info, truncated: true } : info;
        },
        signal,
        caller,
      ),
    );
  }

  /**
   * Converts an image, and has it used: its file is there until then. All frames of an animation are kept, or it is not
   * converted.
   * @throws ImageError; the error of the stream; the signal's reason; what `use` throws
   */
  convert<T>(
    source: ImageSource,
    options: ConvertOptions,
    signal: AbortSignal,
    use: (image: ConvertedImage) => Promise<T>,
    caller: CallerKey = '',
  ): Promise<T> {
    return inWorkFolder(async (folder) => {
      const target = join(folder, 'converted');
      const written = await this.workers.run(
        async (perform) => {
          const path = await asFile(source, folder, signal);
          const image = await this.write(perform, path, target, options, signal);
          if (path !== source) await rm(path, { force: true });
          return image;
        },
        signal,
        caller,
      );
      return use({
        ...written,
        contentType: `image/${options.format}`,
        extension: EXTENSIONS[options.format],
        open: () => createReadStream(target),
      });
    });
  }

  private async write(
    perform: Perform,
    path: string,
    target: string,
    options: ConvertOptions,
    signal: AbortSignal,
  ): Promise<WrittenImage> {
    const info = await perform({ type: 'inspect', path, maxPixels: this.maxPixels });
    if (info === undefined || info.format === 'other') {
      throw new ImageError(
        'not_supported',
        'The file is no image that can be converted: PNG, JPEG, WebP, AVIF, GIF and TIFF can.',
      );
    }
    // Decoders here leave out frames that are cut off, without a word.
    if (info.truncated) throw damaged(info.format);
    return this.budget.hold(pixelsOf(info), signal, () =>
      perform({ type: 'convert', path, info, maxPixels: this.maxPixels, target, options }),
    );
  }
}

function pixelsOf({ width, height, frames }: ImageInfo): number {
  return width * height * frames;
}
