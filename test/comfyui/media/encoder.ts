import { encodePng, type EncodedPng } from './png.js';
import { type Picture, toSharp } from './picture.js';

/** ComfyUI fits every preview into a square of this side, enlarging small ones (06a: 512×512 of a 64×64 picture). */
const PREVIEW_SIDE = 512;
const KEPT = 64;

/** Encodes pictures, keeping what it encoded while pictures with the same key come again. */
export class Encoder {
  private readonly pngs = new Map<string, EncodedPng>();
  private readonly jpegs = new Map<string, Buffer>();

  constructor(private readonly keep: boolean) {}

  async png(picture: Picture, level: number): Promise<EncodedPng> {
    if (!this.keep || picture.key === undefined) return encodePng(picture, level);
    return cached(this.pngs, `${level}:${picture.key}`, () => encodePng(picture, level));
  }

  /** The picture as JPEG in its own size: a frame of a video. */
  async jpeg(picture: Picture): Promise<Buffer> {
    const encode = () => toSharp(picture).toColourspace('srgb').jpeg({ quality: 90 }).toBuffer();
    return picture.key === undefined ? encode() : cached(this.jpegs, `frame:${picture.key}`, encode);
  }

  /** A preview as the server sends it: JPEG, fitted into 512×512. */
  async preview(picture: Picture): Promise<Buffer> {
    const encode = () =>
      toSharp(picture)
        .resize(PREVIEW_SIDE, PREVIEW_SIDE, { fit: 'inside' })
        .toColourspace('srgb')
        .jpeg({ quality: 80 })
        .toBuffer();
    return picture.key === undefined ? encode() : cached(this.jpegs, picture.key, encode);
  }
}

async function cached<T>(store: Map<string, T>, key: string, make: () => Promise<T>): Promise<T> {
  const known = store.get(key);
  if (known !== undefined) return known;
  const made = await make();
  if (store.size >= KEPT) {
    const oldest = store.keys().next();
    if (!oldest.done) store.delete(oldest.value);
  }
  store.set(key, made);
  return made;
}
