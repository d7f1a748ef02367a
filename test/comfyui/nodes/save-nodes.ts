import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { plain, withMetadata } from '../media/png.js';
import type { Picture } from '../media/picture.js';
import { dumps } from '../python.js';
import { latentFile } from '../media/latent-file.js';
import { mp4OfJpegs } from '../media/mp4.js';
import { isObject, type FileRef, type JsonObject } from '../types.js';
import type { SaveTarget } from '../folders.js';
import { firstOf, type NodeClass, type NodeContext, number, pictures, text } from './node.js';

/** Below this a synchronous write is faster than the round trip through the thread pool. */
const SMALL_FILE = 64 * 1024;

export interface Video {
  readonly images: readonly Picture[];
  readonly fps: number;
}

export async function write(path: string, data: Buffer): Promise<void> {
  if (data.length <= SMALL_FILE) writeFileSync(path, data);
  else await writeFile(path, data);
}

/** Finds the place to save, paying for the listing of an aged folder if the options ask for it. */
export async function saveTarget(
  context: NodeContext,
  type: 'output' | 'temp',
  prefix: string,
  width: number,
  height: number,
): Promise<SaveTarget> {
  const { folders, options } = context;
  const target = folders.saveTarget(type, prefix, width, height);
  if (options.listingCostPerFileUs > 0 && type === 'output') {
    const files = target.listed + (target.subfolder === '' ? options.agedFiles : 0);
    await context.sleep((files * options.listingCostPerFileUs) / 1000);
  }
  return target;
}

export const numbered = (filename: string, counter: number, extension: string) =>
  `${filename}_${String(counter).padStart(5, '0')}_.${extension}`;

async function saveImages(
  context: NodeContext,
  images: readonly Picture[],
  prefix: string,
  type: 'output' | 'temp',
): Promise<{ ui: { images: FileRef[] } }> {
  const { graph, extraData, encoder, folders } = context;
  const first = firstOf(images);
  const target = await saveTarget(context, type, prefix, first.width, first.height);
  const info = extraData['extra_pnginfo'];
  const metadata: JsonObject = { prompt: graph, ...(isObject(info) ? info : {}) };
  const saved: FileRef[] = [];
  let counter = target.counter;
  for (const [index, image] of images.entries()) {
    const filename = numbered(target.filename.replaceAll('%batch_num%', String(index)), counter++, 'png');
    const png = await encoder.png(image, type === 'temp' ? 1 : 4);
    await write(join(target.folder, filename), withMetadata(png, metadata));
    saved.push({ filename, subfolder: target.subfolder, type });
  }
  folders.saved(target, counter);
  return { ui: { images: saved } };
}

/** A prefix nobody else has, kept while the node stays in the prompts that follow each other (03). */
export function temporaryPrefix(memory: Map<string, string>): string {
  const known = memory.get('prefix');
  if (known !== undefined) return known;
  const letters = Array.from(
    { length: 5 },
    () => 'abcdefghijklmnopqrstupvxyz'[Math.floor(Math.random() * 26)],
  );
  const made = `ComfyUI_temp_${letters.join('')}`;
  memory.set('prefix', made);
  return made;
}

export const saveNodes: Record<string, NodeClass> = {
  SaveImage: {
    run: (inputs, context) =>
      saveImages(context, pictures(inputs['images']), text(inputs['filename_prefix']), 'output'),
  },
  PreviewImage: {
    run: (inputs, context) =>
      saveImages(context, pictures(inputs['images']), temporaryPrefix(context.memory), 'temp'),
  },
  SaveImageWebsocket: {
    /** The time, as in ComfyUI's source: it never comes from the cache. Not in any recording. */
    isChanged: () => randomUUID(),
    async run(inputs, { encoder, progress }) {
      const images = pictures(inputs['images']);
      for (const [index, image] of images.entries()) {
        const data = plain(await encoder.png(image, 1));
        progress(index, images.length, { format: 'image/png', data });
      }
      return {};
    },
  },
  SaveAnimatedWEBP: {
    async run(inputs, context) {
      const images = pictures(inputs['images']);
      const { width, height } = firstOf(images);
      const target = await saveTarget(context, 'output', text(inputs['filename_prefix']), width, height);
      const filename = numbered(target.filename, target.counter, 'webp');
      const tall = Buffer.concat(images.map((image) => image.pixels()));
      const data = await sharp(tall, {
        raw: { width, height: height * images.length, channels: 3, pageHeight: height },
      })
        .webp({
          lossless: inputs['lossless'] === true,
          quality: Math.max(1, number(inputs['quality'])),
          delay: images.map(() => Math.round(1000 / number(inputs['fps']))),
          loop: 0,
        })
        // As Pillow does for it: the workflow is EXIF's camera model (nodes_images.py).
        .withExif({ IFD0: { Model: `prompt:${dumps(context.graph)}` } })
        .toBuffer();
      await write(join(target.folder, filename), data);
      context.folders.saved(target, target.counter + 1);
      return {
        ui: { images: [{ filename, subfolder: target.subfolder, type: 'output' }], animated: [true] },
      };
    },
  },
  CreateVideo: {
    run(inputs) {
      const video: Video = { images: pictures(inputs['images']), fps: number(inputs['fps']) };
      return { outputs: [video] };
    },
  },
  SaveVideo: {
    async run(inputs, context) {
      const { images, fps } = inputs['video'] as Video;
      const { width, height } = firstOf(images);
      const target = await saveTarget(context, 'output', text(inputs['filename_prefix']), width, height);
      const filename = numbered(target.filename, target.counter, 'mp4');
      const frames = await Promise.all(images.map((image) => context.encoder.jpeg(image)));
      await write(join(target.folder, filename), mp4OfJpegs(frames, width, height, fps));
      context.folders.saved(target, target.counter + 1);
      return {
        ui: { images: [{ filename, subfolder: target.subfolder, type: 'output' }], animated: [true] },
      };
    },
  },
  SaveLatent: {
    async run(inputs, context) {
      const { width, height, batch } = inputs['samples'] as { width: number; height: number; batch: number };
      const target = await saveTarget(context, 'output', text(inputs['filename_prefix']), 1, 1);
      const filename = numbered(target.filename, target.counter, 'latent');
      const shape = [batch, 4, Math.floor(height / 8), Math.floor(width / 8)];
      await write(join(target.folder, filename), latentFile(context.graph, shape));
      context.folders.saved(target, target.counter + 1);
      return { ui: { latents: [{ filename, subfolder: target.subfolder, type: 'output' }] } };
    },
  },
};
