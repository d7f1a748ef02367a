import { fileTypeFromBuffer } from 'file-type';
import type { FileKind } from '../storage.port.js';
import { rareImageExtension } from './rare-images.js';

export const UNKNOWN_TYPE = 'application/octet-stream';

/**
 * Every type that is served as what it is, by the extension its files get. All of them are passive: none can run a
 * script in the reader's browser. Everything else is served as `application/octet-stream`.
 */
const TYPE_BY_EXTENSION: ReadonlyMap<string, string> = new Map([
  ['png', 'image/png'],
  ['jpg', 'image/jpeg'],
  ['webp', 'image/webp'],
  ['gif', 'image/gif'],
  ['avif', 'image/avif'],
  ['heic', 'image/heic'],
  ['jxl', 'image/jxl'],
  ['bmp', 'image/bmp'],
  ['tif', 'image/tiff'],
  ['ico', 'image/x-icon'],
  ['jp2', 'image/jp2'],
  ['jpx', 'image/jpx'],
  ['j2c', 'image/j2c'],
  ['pbm', 'image/x-portable-bitmap'],
  ['pgm', 'image/x-portable-graymap'],
  ['ppm', 'image/x-portable-pixmap'],
  ['pfm', 'image/x-portable-floatmap'],
  ['tga', 'image/x-tga'],
  ['psd', 'image/vnd.adobe.photoshop'],
  ['icns', 'image/icns'],
  ['pcx', 'image/x-pcx'],
  ['qoi', 'image/qoi'],
  ['sgi', 'image/x-sgi'],
  ['dds', 'image/vnd-ms.dds'],
  ['mp4', 'video/mp4'],
  ['m4v', 'video/x-m4v'],
  ['mov', 'video/quicktime'],
  ['webm', 'video/webm'],
  ['mkv', 'video/matroska'],
  ['avi', 'video/vnd.avi'],
  ['ogv', 'video/ogg'],
  ['mp3', 'audio/mpeg'],
  ['flac', 'audio/flac'],
  ['wav', 'audio/wav'],
  ['ogg', 'audio/ogg'],
  ['opus', 'audio/ogg'],
  ['m4a', 'audio/mp4'],
  ['aac', 'audio/aac'],
  ['glb', 'model/gltf-binary'],
  ['txt', 'text/plain; charset=utf-8'],
]);

/** Other names for extensions of the table. An animated PNG is a PNG to every program that does not animate it. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['apng', 'png'],
  ['jpeg', 'jpg'],
  ['tiff', 'tif'],
  ['cur', 'ico'],
  ['j2k', 'j2c'],
  ['oga', 'ogg'],
]);

/** Bytes at the start of a file by which its type is told for certain. */
export const SNIFFED_BYTES = 256 * 1024;

/** Text has no magic bytes: the name counts, where the bytes do not say otherwise. With `nosniff` it runs nowhere. */
const TEXT: MediaType = { contentType: 'text/plain; charset=utf-8', extension: 'txt', kind: 'file' };

/** Types that browsers run; a file whose bytes tell nothing is never named like one of them. */
const ACTIVE = new Set(
  'htm html shtml xht xhtml hta mht mhtml svg svgz xml xsl xslt rss atom js mjs cjs jsx ts css wasm swf jar php'.split(
    ' ',
  ),
);

export interface MediaType {
  contentType: string;
  /** Without the dot; lower case. */
  extension: string;
  kind: FileKind;
}

/**
 * What a file is, told by its first bytes (4 kB tell most types; an MP3 behind a large cover picture wants more).
 * The producer's name counts only where they say nothing: its extension is kept if it is harmless.
 */
export async function sniffMediaType(head: Uint8Array, filename?: string): Promise<MediaType> {
  const extension = canonical(magicExtension(head) ?? (await extensionOfBytes(head)) ?? '');
  const contentType = TYPE_BY_EXTENSION.get(extension);
  if (contentType !== undefined) return { contentType, extension, kind: kindOf(contentType) };
  if (extension === '' && extensionOf(filename ?? '')?.toLowerCase() === 'txt' && isText(head)) return TEXT;
  return { contentType: UNKNOWN_TYPE, extension: harmlessExtension(filename), kind: 'file' };
}

/** The content type to serve a stored file under; files of unknown or active extensions are just bytes. */
export function contentTypeOf(key: string): string {
  return TYPE_BY_EXTENSION.get(canonical(extensionOf(key) ?? '')) ?? UNKNOWN_TYPE;
}

/**
 * PNG, which most files are. file-type reads on to the first chunk of pixels to tell an animated one, and ComfyUI
 * writes the whole workflow before that: a large one hides it.
 */
function magicExtension(head: Uint8Array): string | undefined {
  const [signature, chunk] = [head.subarray(0, 8), head.subarray(12, 16)].map((part) =>
    Buffer.from(part).toString('latin1'),
  );
  return signature === '\x89PNG\r\n\x1a\n' && chunk === 'IHDR' ? 'png' : undefined;
}

/** What file-type says, but for a cursor: a plain TGA begins like one. */
async function extensionOfBytes(head: Uint8Array): Promise<string | undefined> {
  const named = (await fileTypeFromBuffer(head))?.ext;
  return named === undefined || named === 'cur' ? (rareImageExtension(head) ?? named) : named;
}

/** Is it UTF-8 without control characters, but for a character that is cut off at the end? */
function isText(head: Uint8Array): boolean {
  try {
    // oxlint-disable-next-line no-control-regex
    return !/[\u0000-\u0008\u000e-\u001f]/.test(
      new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true }),
    );
  } catch {
    return false;
  }
}

function harmlessExtension(filename: string | undefined): string {
  const extension = extensionOf(filename ?? '')?.toLowerCase();
  if (extension === undefined || ACTIVE.has(extension)) return 'bin';
  // Named like a picture, but its bytes are not one: an error page, or a broken file.
  return TYPE_BY_EXTENSION.has(canonical(extension)) ? 'bin' : extension;
}

function extensionOf(name: string): string | undefined {
  return /\.([a-z0-9]{1,10})$/i.exec(name)?.[1];
}

function canonical(extension: string): string {
  const lower = extension.toLowerCase();
  return ALIASES.get(lower) ?? lower;
}

function kindOf(contentType: string): FileKind {
  const top = contentType.slice(0, contentType.indexOf('/'));
  return top === 'image' || top === 'video' || top === 'audio' ? top : 'file';
}
