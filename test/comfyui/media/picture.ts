import sharp, { type Sharp } from 'sharp';

/** What travels along an IMAGE link: one picture of the batch. Three channels for IMAGE, one for MASK. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** Set when every pixel is the same; such a picture costs nothing until its pixels are wanted. */
  readonly solid?: readonly number[];
  /** Same key, same pixels: lets encodings be reused. */
  readonly key?: string;
  pixels(): Buffer;
}

export function solidPicture(width: number, height: number, colour: readonly number[]): Picture {
  let data: Buffer | undefined;
  return {
    width,
    height,
    channels: colour.length === 1 ? 1 : 3,
    solid: colour,
    key: `solid:${width}x${height}:${colour.join(',')}`,
    pixels: () => (data ??= Buffer.alloc(width * height * colour.length, Buffer.from(colour))),
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

/** A new picture whose every byte is `change` of the old one. */
export function mapBytes(picture: Picture, change: (byte: number) => number): Picture {
  if (picture.solid) return solidPicture(picture.width, picture.height, picture.solid.map(change));
  const table = Uint8Array.from({ length: 256 }, (_, byte) => change(byte));
  const data = Buffer.from(picture.pixels());
  for (let i = 0; i < data.length; i++) data[i] = table[data[i] ?? 0] ?? 0;
  return rasterPicture(picture.width, picture.height, picture.channels, data);
}
