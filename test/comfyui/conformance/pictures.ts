import { createHash } from 'node:crypto';
import sharp from 'sharp';

/** A file told in a form that is the same for two encoders of the same picture. */
export interface Told {
  kind: string;
  size?: string;
  /** Hash of the pixels of a lossless file. */
  pixels?: string;
  /** The prompt that a PNG carries. */
  prompt?: unknown;
}

export async function tell(bytes: Buffer): Promise<Told> {
  if (bytes.subarray(4, 8).toString('latin1') === 'ftyp') return { kind: 'mp4' };
  if (bytes.subarray(8, 24).toString('latin1').includes('{"__metadata__"')) {
    return { kind: 'latent', pixels: hash(bytes) };
  }
  const start = bytes.subarray(0, 4).toString('latin1');
  if (start === 'fLaC') return { kind: 'flac' };
  if (start.startsWith('ID3') || bytes.readUInt16BE(0) === 0xfffb) return { kind: 'mp3' };
  const { format, width, height } = await sharp(bytes).metadata();
  const told: Told = { kind: format, size: `${width}x${height}` };
  if (format !== 'png') return told;
  const pixels = await sharp(bytes).removeAlpha().raw().toBuffer();
  return { ...told, pixels: hash(pixels), prompt: promptOf(bytes) };
}

function hash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The tEXt chunk that SaveImage writes right behind the header. */
function promptOf(png: Buffer): unknown {
  if (png.subarray(37, 41).toString('latin1') !== 'tEXt') return undefined;
  const text = png.subarray(41, 41 + png.readUInt32BE(33)).toString('latin1');
  return JSON.parse(text.slice(text.indexOf('\0') + 1)) as unknown;
}
