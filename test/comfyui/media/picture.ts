import sharp, { type Sharp } from 'sharp';

/** What travels along an IMAGE link: one picture of the batch. Three channels for IMAGE, one for MASK. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** Set when every pixel is the same: its channels from 0 to 1. Such a picture costs nothing until its pixels are wanted. */
  readonly solid?: readonly number[];
  /** Same key, same pixels: lets encodings be reused. */
  readonly key?: string;
  pixels(): Buffer;
}

/** As ComfyUI saves a value: `255. * x`, cut off, all in 32 bits. */
export function toByte(value: number): number {
  return Math.trunc(Math.min(255, Math.max(0, Math.fround(255 * Math.fround(value)))));
}

export function solidPicture(width: number, height: number, colour: readonly number[]): Picture {
  let data: Buffer | undefined;
  return {
    width,
    height,
    channels: colour.length === 1 ? 1 : 3,
    solid: colour,
    key: `solid:${width}x${height}:${colour.join(',')}`,
    pixels: () => (data ??= Buffer.alloc(width * height * colour.length, Buffer.from(colour.map(toByte)))),
  };
}

export function rasterPicture(
  width: number,
  height: number,
  channels: 1 | 3,
  data: Buffer,
  key?: string,
): Picture {
  return { width, height, channels, pixels: () => data, ...(key === undefined ? {} : { key }) };
}

/** The picture as input of a sharp pipeline. */
export function toSharp(picture: Picture): Sharp {
  const { width, height, channels } = picture;
  return sharp(picture.pixels(), { raw: { width, height, channels } });
}

/** The end of a sharp pipeline as a picture. */
export async function fromSharp(pipeline: Sharp, key?: string): Promise<Picture> {
  const { data, info } = await pipeline
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  return rasterPicture(info.width, info.height, 3, data, key);
}

/** `1.0 - image`. A solid picture keeps its 32-bit values, since twice the inverse is not quite the same colour (17). */
export function invert(picture: Picture): Picture {
  const inverse = (value: number) => Math.fround(1 - Math.fround(value));
  const { width, height, channels, solid } = picture;
  if (solid) return solidPicture(width, height, solid.map(inverse));
  const table = Uint8Array.from({ length: 256 }, (_, byte) => toByte(inverse(byte / 255)));
  const data = Buffer.from(picture.pixels());
  for (let i = 0; i < data.length; i++) data[i] = table[data[i] ?? 0] ?? 0;
  return rasterPicture(width, height, channels, data);
}
