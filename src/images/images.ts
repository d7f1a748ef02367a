import { Inject, Injectable } from '@nestjs/common';
import { type CheckedImage, checkImage } from './check-image.js';
import type { ImageLimits } from './image-limits.js';
import { ImagePool } from './image-pool.js';
import { IMAGES_OPTIONS, type ImagesOptions } from './images.module-definition.js';
import { asFile, type ImageSource, inWorkFolder } from './work-folder.js';

const MEGA = 1_000_000;

/** Looks into images and converts them, a few at a time, beside the event loop. */
@Injectable()
export class Images {
  private readonly pool: ImagePool;
  private readonly limits: ImageLimits;

  constructor(@Inject(IMAGES_OPTIONS) { maxMegapixels = 100, timeoutMs = 120_000 }: ImagesOptions) {
    this.pool = new ImagePool(timeoutMs);
    this.limits = { maxPixels: maxMegapixels * MEGA, timeoutMs };
  }

  /**
   * Is the whole image there, and small enough? It is told by its bytes, decoded to its end, and nothing of it is kept. A
   * stream is written to a temporary file first, whatever its size.
   * @returns what it is; undefined where it is nothing that is decoded here (BMP, JPEG XL, HEIC, a video, a text …): then it
   * was not checked, but for the pixels of HEIC
   * @throws ImageError `too_many_pixels` · `damaged` · `too_slow` · `busy`; the error of the stream; the signal's reason
   */
  check(source: ImageSource, signal: AbortSignal): Promise<CheckedImage | undefined> {
    return this.work(signal, async (folder, limited) =>
      checkImage(await asFile(source, folder, limited), this.limits, limited),
    );
  }

  /** When it is its turn, with a folder of its own. */
  private work<T>(
    signal: AbortSignal,
    work: (folder: string, limited: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return this.pool.run((limited) => inWorkFolder((folder) => work(folder, limited)), signal);
  }
}
