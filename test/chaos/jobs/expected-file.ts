import sharp from 'sharp';
import { probeBytes } from '../../comfyui/index.js';

/** What a file has to be; nobody else's is like it. */
export type ExpectedFile =
  | { type: 'picture'; width: number; height: number; colour: number }
  /** A ProbeBytes file of that size. */
  | { type: 'bytes'; size: number };

/** @returns what is wrong with the bytes; undefined where they are the right ones */
export async function complaint(bytes: Buffer, file: ExpectedFile): Promise<string | undefined> {
  return file.type === 'bytes' ? aboutBytes(bytes, file.size) : aboutPicture(bytes, file);
}

function aboutBytes(bytes: Buffer, size: number): string | undefined {
  if (bytes.length !== size) return `${bytes.length} bytes instead of ${size}`;
  let offset = 0;
  for (const part of probeBytes(size)) {
    if (!bytes.subarray(offset, offset + part.length).equals(part)) return `other bytes after ${offset}`;
    offset += part.length;
  }
  return undefined;
}

async function aboutPicture(
  bytes: Buffer,
  { width, height, colour }: ExpectedFile & { type: 'picture' },
): Promise<string | undefined> {
  try {
    const { data, info } = await sharp(bytes).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    if (info.width !== width || info.height !== height)
      return `a picture of ${info.width}×${info.height} instead of ${width}×${height}`;
    for (let at = 0; at < data.length; at += 3) {
      const found = data.readUIntBE(at, 3);
      if (found !== colour) return `colour ${hex(found)} instead of ${hex(colour)}`;
    }
    return undefined;
  } catch (error) {
    return `no picture in ${bytes.length} bytes: ${error instanceof Error ? error.message : String(error)}`;
  }
}

const hex = (colour: number) => `#${colour.toString(16).padStart(6, '0')}`;
