import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Folders } from '../folders.js';
import { fromSharp, invert, type Picture, rasterPicture, solidPicture } from '../media/picture.js';
import { PythonError } from '../python.js';
import type { FolderType } from '../types.js';
import { type NodeClass, text } from './node.js';

/** `folder_paths.get_annotated_filepath`: "name", "sub/name", or with the folder behind it: "name [output]". */
export function annotatedPath(name: string, folders: Folders): string | undefined {
  const match = /^(.*?) ?\[(input|output|temp)\]$/.exec(name);
  const folder = (match?.[2] ?? 'input') as FolderType;
  return folders.inside(folder, match?.[1] ?? name);
}

/** `VALIDATE_INPUTS` and `IS_CHANGED`, which all loaders of pictures have alike. */
function loader(input: string, run: (file: Buffer) => Promise<unknown[]>): NodeClass {
  return {
    validate(inputs, folders) {
      const name = inputs[input];
      if (typeof name !== 'string') return undefined;
      const path = annotatedPath(name, folders);
      if (path !== undefined && existsSync(path) && statSync(path).isFile()) return undefined;
      return { input, complaint: `Invalid image file: ${name}` };
    },
    isChanged(inputs, folders) {
      const name = inputs[input];
      const path = typeof name === 'string' ? annotatedPath(name, folders) : undefined;
      if (path === undefined || !existsSync(path)) return 'gone';
      return createHash('sha256').update(readFileSync(path)).digest('hex');
    },
    async run(inputs, { folders }) {
      const name = text(inputs[input]);
      const path = annotatedPath(name, folders);
      if (path === undefined || !existsSync(path)) {
        throw new PythonError(
          'FileNotFoundError',
          `[Errno 2] No such file or directory: '${join('/srv/ComfyUI/input', name)}'`,
        );
      }
      return { outputs: await run(readFileSync(path)) };
    },
  };
}

async function imageAndMask(file: Buffer): Promise<[Picture[], Picture[]]> {
  const { hasAlpha } = await readable(sharp(file).metadata());
  const picture = await readable(fromSharp(sharp(file).rotate()));
  if (!hasAlpha) return [[picture], [solidPicture(64, 64, [0])]];
  return [[picture], [invert(await channelOf(file, 'alpha'))]];
}

async function channelOf(file: Buffer, channel: 'alpha' | 'red' | 'green' | 'blue'): Promise<Picture> {
  const { data, info } = await sharp(file)
    .rotate()
    .ensureAlpha()
    .extractChannel(channel)
    .raw()
    .toBuffer({ resolveWithObject: true });
  return rasterPicture(info.width, info.height, 1, data);
}

export const loadNodes: Record<string, NodeClass> = {
  LoadImage: loader('image', imageAndMask),
  /** Source: ComfyUI's nodes.py; not in any recording. Only its red channel is made here. */
  LoadImageMask: loader('image', async (file) => [[await readable(channelOf(file, 'red'))]]),
  /** Ours: a loader of an extension, which only `/object_info` tells of. */
  ProbeLoadPicture: loader('picture', imageAndMask),
};

async function readable<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch {
    throw new PythonError('PIL.UnidentifiedImageError', 'cannot identify image file');
  }
}
