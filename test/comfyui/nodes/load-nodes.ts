import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Folders } from '../folders.js';
import { fromSharp, invert, rasterPicture, solidPicture } from '../media/picture.js';
import { PythonError } from '../python.js';
import type { FolderType } from '../types.js';
import { type NodeClass, text } from './node.js';

/** `folder_paths.get_annotated_filepath`: "name", "sub/name", or with the folder behind it: "name [output]". */
export function annotatedPath(name: string, folders: Folders): string | undefined {
  const match = /^(.*?) ?\[(input|output|temp)\]$/.exec(name);
  const folder = (match?.[2] ?? 'input') as FolderType;
  return folders.inside(folder, match?.[1] ?? name);
}

export const loadNodes: Record<string, NodeClass> = {
  LoadImage: {
    validate(inputs, folders) {
      const name = inputs['image'];
      if (typeof name !== 'string') return undefined;
      const path = annotatedPath(name, folders);
      if (path !== undefined && existsSync(path) && statSync(path).isFile()) return undefined;
      return { input: 'image', complaint: `Invalid image file: ${name}` };
    },
    isChanged(inputs, folders) {
      const name = inputs['image'];
      const path = typeof name === 'string' ? annotatedPath(name, folders) : undefined;
      if (path === undefined || !existsSync(path)) return 'gone';
      return createHash('sha256').update(readFileSync(path)).digest('hex');
    },
    async run(inputs, { folders }) {
      const name = text(inputs['image']);
      const path = annotatedPath(name, folders);
      if (path === undefined || !existsSync(path)) {
        throw new PythonError(
          'FileNotFoundError',
          `[Errno 2] No such file or directory: '${join('/srv/ComfyUI/input', name)}'`,
        );
      }
      const file = readFileSync(path);
      const { hasAlpha } = await readable(sharp(file).metadata());
      const picture = await readable(fromSharp(sharp(file).rotate()));
      if (!hasAlpha) return { outputs: [[picture], [solidPicture(64, 64, [0])]] };
      const { data, info } = await sharp(file)
        .rotate()
        .extractChannel('alpha')
        .raw()
        .toBuffer({ resolveWithObject: true });
      const alpha = rasterPicture(info.width, info.height, 1, data);
      return { outputs: [[picture], [invert(alpha)]] };
    },
  },
};

async function readable<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch {
    throw new PythonError('PIL.UnidentifiedImageError', 'cannot identify image file');
  }
}
