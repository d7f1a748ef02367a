import { open } from 'node:fs/promises';
import { fileTypeFromBuffer } from 'file-type';

/** Formats that are looked into here. `other`: only their header is read. `heif`: a container that tells only when it is opened whether it can be decoded. */
export type ImageFormat = 'png' | 'jpeg' | 'webp' | 'avif' | 'gif' | 'tiff' | 'heif' | 'other';

/**
 * By the extension that file-type tells. Whatever else sharp's libvips reads is not for files of strangers: SVG fetches what
 * it names.
 */
const FORMATS: ReadonlyMap<string, ImageFormat> = new Map([
  ['png', 'png'],
  ['apng', 'png'],
  ['jpg', 'jpeg'],
  ['webp', 'webp'],
  ['gif', 'gif'],
  ['avif', 'avif'],
  ['heic', 'heif'],
  ['tif', 'tiff'],
]);

/** Little and big endian. */
const TIFF = ['II*\0', 'MM\0*'];

const HEAD = 4_096;

/** What a file is by its first bytes, whatever it is called; undefined for what is not decoded here. */
export async function imageFormatOf(path: string): Promise<ImageFormat | undefined> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD), 0, HEAD, 0);
    const head = buffer.subarray(0, bytesRead);
    // file-type reads on to the first pixels, which a large text before them hides.
    if (startsWith(head, '\x89PNG\r\n\x1a\n')) return 'png';
    const type = await fileTypeFromBuffer(head);
    // The directory by which it tells a TIFF from a camera's raw file may be at the end.
    if (type === undefined && TIFF.some((magic) => startsWith(head, magic))) return 'tiff';
    return FORMATS.get(type?.ext ?? '');
  } finally {
    await file.close();
  }
}

function startsWith(head: Buffer, magic: string): boolean {
  return head.toString('latin1', 0, magic.length) === magic;
}
