import { open } from 'node:fs/promises';
import sharp, { type SharpOptions } from 'sharp';
import { damaged } from './image.error.js';
import type { ResultOf, Task } from './tasks.js';

type DecodeTask = Extract<Task, { type: 'decode' }>;

/**
 * Decodes an image to the last row of its last frame, into a few pixels.
 * @returns `truncated` where it is cut off, and ComfyUI shows what is there; `unknown` where it is a HEIF that cannot be decoded here
 * @throws ImageError `damaged`
 */
export async function decodeImage(task: DecodeTask): Promise<ResultOf<DecodeTask>> {
  const { format, truncated } = task.info;
  // There is no end to decode to, and whatever a decoder says of the rest, ComfyUI's leaves it out.
  if (truncated) return 'truncated';
  try {
    await decode(task);
    return 'whole';
  } catch (error) {
    // Most HEIF files hold HEVC, which sharp cannot decode: ComfyUI may.
    if (format === 'heif') return 'unknown';
    if (format === 'jpeg' && /premature end/i.test(String(error)) && !(await hasEnd(task.path)))
      return 'truncated';
    throw damaged(format, error);
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

/** Is the mark of the end (EOI) the last there is, but for padding? What has it and fewer rows than it says is no cut off file. */
async function hasEnd(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const length = Math.min(size, 64);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return /\xff\xd9\0*$/.test(buffer.toString('latin1'));
  } finally {
    await file.close();
  }
}
