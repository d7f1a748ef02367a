import sharp, { type SharpOptions } from 'sharp';
import { damaged } from './image.error.js';
import type { ResultOf, Task } from './tasks.js';

type DecodeTask = Extract<Task, { type: 'decode' }>;

/**
 * Decodes an image to the last row of its last frame, into a few pixels.
 * @returns false where it is a HEIF that cannot be decoded here
 * @throws ImageError `damaged`
 */
export async function decodeImage(task: DecodeTask): Promise<ResultOf<DecodeTask>> {
  try {
    await decode(task);
    return true;
  } catch (error) {
    // Most HEIF files hold HEVC, which sharp cannot decode: ComfyUI may.
    if (task.info.format === 'heif') return false;
    throw damaged(task.info.format, error);
  }
}

async function decode({ path, info, maxPixels }: DecodeTask): Promise<void> {
  const run = (options: SharpOptions) =>
    sharp(path, { limitInputPixels: maxPixels, sequentialRead: true, ...options })
      // All rows count, which a JPEG that is shrunk while it is read would not show.
      .resize({ width: 16, height: 16, fit: 'fill', fastShrinkOnLoad: false })
      .raw()
      .toBuffer();
  switch (info.format) {
    case 'png':
      // Of an interlaced one that is too short the decoder only warns.
      await run({ failOn: 'warning' });
      break;
    case 'jpeg':
      try {
        await run({ failOn: 'warning' });
      } catch (error) {
        // What else it warns of is in many photographs that everybody can see.
        if (/premature end/i.test(String(error))) throw error;
        await run({ failOn: 'error' });
      }
      break;
    case 'tiff':
      // Its pages may differ in size.
      for (let page = 0; page < info.frames; page += 1) await run({ failOn: 'error', page });
      break;
    default:
      await run({ failOn: 'error', pages: -1 });
  }
}
