import { createReadStream, statSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { basename, extname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import sharp from 'sharp';
import type { ViewFault } from '../faults.js';
import type { Timers } from '../timers.js';
import type { FolderType } from '../types.js';
import type { Route } from './context.js';
import { sendEmpty } from './respond.js';

const TYPES: Record<string, string> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.webp': 'image/webp',
  '.gif': 'image/gif',
  '.mp4': 'video/mp4',
  '.webm': 'video/webm',
  '.mp3': 'audio/mpeg',
  '.flac': 'audio/flac',
  '.wav': 'audio/x-wav',
  '.glb': 'model/gltf-binary',
  '.txt': 'text/plain',
  '.json': 'application/json',
};

const isFolder = (type: string): type is FolderType => ['input', 'output', 'temp'].includes(type);

/** The checks and their order are those of ComfyUI (18): nothing asked 404, `..` 400, unknown type 400, outside 403. */
export const getView: Route = async ({ request, response, query }, { folders, faults, timers }) => {
  const wanted = query.get('filename');
  if (wanted === null) return sendEmpty(response, 404);
  if (wanted === '' || wanted.startsWith('/') || wanted.includes('..')) return sendEmpty(response, 400);
  const { name, type } = annotated(wanted, query.get('type') ?? 'output');
  if (!isFolder(type)) return sendEmpty(response, 400);
  const folder = folders.inside(type, query.get('subfolder') ?? '');
  if (folder === undefined) return sendEmpty(response, 403);
  const filename = basename(name);
  const path = `${folder}/${filename}`;
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats?.isFile()) return sendEmpty(response, 404);

  const headers: Record<string, string | number> = {
    'Content-Disposition': headerOf(`filename="${filename}"`),
    'Content-Type': TYPES[extname(filename).toLowerCase()] ?? 'application/octet-stream',
    Etag: etagOf(path),
    'Last-Modified': stats.mtime.toUTCString(),
    'Accept-Ranges': 'bytes',
  };
  const recoded = await recode(path, query);
  if (recoded !== undefined) {
    const { data, contentType } = recoded;
    const disposition = { 'Content-Disposition': headers['Content-Disposition'] ?? '' };
    response.writeHead(200, { ...disposition, 'Content-Type': contentType, 'Content-Length': data.length });
    response.end(data);
    return;
  }
  if (request.headers['if-none-match'] === headers['Etag']) {
    const { 'Accept-Ranges': _, ...kept } = headers;
    response.writeHead(304, kept);
    response.end();
    return;
  }
  const range = parseRange(request.headers.range, stats.size);
  if (range === 'unsatisfiable') {
    response.writeHead(416, { 'Content-Range': `bytes */${stats.size}`, 'Content-Length': 0 });
    response.end();
    return;
  }
  const { start, end } = range ?? { start: 0, end: stats.size - 1 };
  if (range) headers['Content-Range'] = `bytes ${start}-${end}/${stats.size}`;
  headers['Content-Length'] = end - start + 1;
  response.writeHead(range ? 206 : 200, headers);
  if (request.method === 'HEAD' || end < start) {
    response.end();
    return;
  }
  await send(response, createReadStream(path, { start, end }), faults.takeViewFault(), timers);
};

/** ` [output]`, ` [temp]` or ` [input]` behind the name goes before `type` (35). */
function annotated(wanted: string, type: string): { name: string; type: string } {
  const [, name, folder] = /^(.*) \[(output|temp|input)\]$/s.exec(wanted) ?? [];
  return name === undefined || folder === undefined ? { name: wanted, type } : { name, type: folder };
}

/** `preview=webp;50` and `channel=rgb|a` encode the picture anew (35). */
async function recode(
  path: string,
  query: URLSearchParams,
): Promise<{ data: Buffer; contentType: string } | undefined> {
  const preview = query.get('preview');
  if (preview !== null) {
    const [format, quality = '90'] = preview.split(';');
    const picture = sharp(path);
    const lossy = { quality: Number(quality) };
    return format === 'webp'
      ? { data: await picture.webp(lossy).toBuffer(), contentType: 'image/webp' }
      : { data: await picture.jpeg(lossy).toBuffer(), contentType: 'image/jpeg' };
  }
  const channel = query.get('channel');
  if (channel !== 'rgb' && channel !== 'a') return undefined;
  if (channel === 'rgb')
    return { data: await sharp(path).removeAlpha().png().toBuffer(), contentType: 'image/png' };
  // The mask alone: black, as transparent as the picture is.
  const { data: mask, info } = await sharp(path)
    .ensureAlpha()
    .extractChannel('alpha')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  const black = sharp({ create: { width, height, channels: 3, background: '#000' } });
  const data = await black
    .joinChannel(mask, { raw: { width, height, channels: 1 } })
    .png()
    .toBuffer();
  return { data, contentType: 'image/png' };
}

/** mtime in nanoseconds and size, both in hex, as aiohttp builds it (01). */
function etagOf(path: string): string {
  const { mtimeNs, size } = statSync(path, { bigint: true });
  return `"${mtimeNs.toString(16)}-${size.toString(16)}"`;
}

/** One range; anything aiohttp does not understand is sent whole. */
function parseRange(
  header: string | undefined,
  size: number,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  const start = match[1] === '' ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const end = match[1] === '' || match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  return start >= size || end < start ? 'unsatisfiable' : { start, end };
}

async function send(
  response: ServerResponse,
  file: Readable,
  fault: ViewFault | undefined,
  timers: Timers,
): Promise<void> {
  const bytes =
    fault === undefined ? file : Readable.from(troubled(file, fault, timers), { objectMode: false });
  try {
    await pipeline(bytes, response, { end: fault?.truncateAt === undefined });
    if (fault?.truncateAt !== undefined) response.destroy();
  } catch {
    // The client went away, or the server was killed: nobody is left to tell.
    response.destroy();
  }
}

async function* troubled(file: Readable, fault: ViewFault, timers: Timers): AsyncGenerator<Buffer> {
  const { truncateAt = Infinity, bytesPerSecond = Infinity } = fault;
  let left = truncateAt;
  for await (const chunk of file) {
    const part = (chunk as Buffer).subarray(0, left);
    const step = Number.isFinite(bytesPerSecond) ? Math.max(1, Math.floor(bytesPerSecond / 20)) : part.length;
    for (let at = 0; at < part.length; at += step) {
      if (Number.isFinite(bytesPerSecond)) await timers.sleep(50);
      yield part.subarray(at, at + step);
    }
    left -= part.length;
    if (left <= 0) return;
  }
}

/** As aiohttp writes headers: UTF-8, which Node takes byte by byte only. Control characters Node does not write at all. */
function headerOf(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return Buffer.from(text.replace(/[\u0000-\u001f\u007f]/g, '')).toString('latin1');
}
