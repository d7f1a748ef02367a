import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, extname, join, normalize } from 'node:path';
import type { FolderType } from '../types.js';
import type { Route } from './context.js';
import { BodyTooLarge, sendEmpty, sendJson } from './respond.js';

const isFolder = (type: unknown): type is FolderType => ['input', 'output', 'temp'].includes(type as string);

/** Same name and same bytes: kept as it is; same name, other bytes: `in (1).png` (15). */
export const postUpload: Route = async ({ request, response, body }, { folders, options }) => {
  const headers = { 'content-type': request.headers['content-type'] ?? '' };
  const form = await new Response(new Uint8Array(body), { headers }).formData();
  const image = form.get('image');
  if (!(image instanceof File) || image.name === '') return sendEmpty(response, 400);
  if (image.size > options.maxUploadSize) throw new BodyTooLarge();
  const wanted = form.get('type');
  const type = isFolder(wanted) ? wanted : 'input';
  const given = form.get('subfolder');
  const subfolder = typeof given === 'string' ? given : '';
  const inside = normalize(subfolder === '' ? '.' : subfolder);
  const place = folders.inside(type, inside, image.name);
  if (place === undefined || subfolder.startsWith('/') || image.name.startsWith('/')) {
    return sendEmpty(response, 400);
  }
  const bytes = Buffer.from(await image.arrayBuffer());
  const folder = join(folders.of(type), inside);
  mkdirSync(dirname(place), { recursive: true });
  const overwrite = form.get('overwrite');
  const name = overwrite === 'true' || overwrite === '1' ? image.name : freeName(folder, image.name, bytes);
  writeFileSync(join(folder, name), bytes);
  sendJson(response, 200, { name, subfolder, type });
};

function freeName(folder: string, wanted: string, bytes: Buffer): string {
  const extension = extname(wanted);
  const stem = wanted.slice(0, wanted.length - extension.length);
  let name = wanted;
  for (let i = 1; existsSync(join(folder, name)); i++) {
    if (readFileSync(join(folder, name)).equals(bytes)) return name;
    name = `${stem} (${i})${extension}`;
  }
  return name;
}
