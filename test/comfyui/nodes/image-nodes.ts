import type { KernelEnum } from 'sharp';
import { fromSharp, invert, type Picture, rasterPicture, solidPicture, toSharp } from '../media/picture.js';
import { firstOf, type NodeClass, number, pictures, text } from './node.js';

const KERNELS: Record<string, keyof KernelEnum> = {
  'nearest-exact': 'nearest',
  bilinear: 'linear',
  area: 'linear',
  bicubic: 'cubic',
  lanczos: 'lanczos3',
};

export async function scale(
  picture: Picture,
  width: number,
  height: number,
  method: string,
  crop: boolean,
): Promise<Picture> {
  if (picture.width === width && picture.height === height) return picture;
  if (picture.solid) return solidPicture(width, height, picture.solid);
  const kernel = KERNELS[method] ?? 'linear';
  const key = picture.key && `${picture.key}>${width}x${height}:${method}:${crop}`;
  return fromSharp(toSharp(picture).resize(width, height, { kernel, fit: crop ? 'cover' : 'fill' }), key);
}

/** Same size for all, as a batch has. */
async function alike(pictures: readonly Picture[], like: Picture): Promise<Picture[]> {
  return Promise.all(pictures.map((picture) => scale(picture, like.width, like.height, 'bilinear', true)));
}

const BLENDS: Record<string, (a: number, b: number) => number> = {
  normal: (_a, b) => b,
  multiply: (a, b) => a * b,
  screen: (a, b) => 1 - (1 - a) * (1 - b),
  overlay: (a, b) => (a <= 0.5 ? 2 * a * b : 1 - 2 * (1 - a) * (1 - b)),
  soft_light: (a, b) =>
    b <= 0.5
      ? a - (1 - 2 * b) * a * (1 - a)
      : a + (2 * b - 1) * ((a <= 0.25 ? ((16 * a - 12) * a + 4) * a : Math.sqrt(a)) - a),
  difference: (a, b) => a - b,
};

export const imageNodes: Record<string, NodeClass> = {
  EmptyImage: {
    run(inputs) {
      const colour = number(inputs['color']);
      const picture = solidPicture(number(inputs['width']), number(inputs['height']), [
        ((colour >> 16) & 255) / 255,
        ((colour >> 8) & 255) / 255,
        (colour & 255) / 255,
      ]);
      return { outputs: [Array.from({ length: number(inputs['batch_size']) }, () => picture)] };
    },
  },
  ImageScale: {
    async run(inputs) {
      const batch = pictures(inputs['image']);
      const first = firstOf(batch);
      let width = number(inputs['width']);
      let height = number(inputs['height']);
      if (width === 0 && height === 0) return { outputs: [batch] };
      if (width === 0) width = Math.max(1, Math.round((first.width * height) / first.height));
      if (height === 0) height = Math.max(1, Math.round((first.height * width) / first.width));
      const crop = inputs['crop'] === 'center';
      const method = text(inputs['upscale_method']);
      return { outputs: [await Promise.all(batch.map((each) => scale(each, width, height, method, crop)))] };
    },
  },
  ImageScaleBy: {
    async run(inputs) {
      const by = number(inputs['scale_by']);
      const method = text(inputs['upscale_method']);
      const scaled = pictures(inputs['image']).map((each) =>
        scale(
          each,
          Math.max(1, Math.round(each.width * by)),
          Math.max(1, Math.round(each.height * by)),
          method,
          false,
        ),
      );
      return { outputs: [await Promise.all(scaled)] };
    },
  },
  ImageInvert: {
    run(inputs) {
      return { outputs: [pictures(inputs['image']).map(invert)] };
    },
  },
  ImageBlend: {
    async run(inputs) {
      const below = pictures(inputs['image1']);
      const above = await alike(pictures(inputs['image2']), firstOf(below));
      const factor = number(inputs['blend_factor']);
      const blend = BLENDS[text(inputs['blend_mode'])] ?? ((_a: number, b: number) => b);
      const mixed = below.map((picture, index) => {
        const base = picture.pixels();
        const layer = (above[index] ?? firstOf(above)).pixels();
        const data = Buffer.alloc(base.length);
        for (let i = 0; i < data.length; i++) {
          const a = (base[i] ?? 0) / 255;
          const value = a * (1 - factor) + blend(a, (layer[i] ?? 0) / 255) * factor;
          data[i] = Math.round(Math.min(1, Math.max(0, value)) * 255);
        }
        return rasterPicture(picture.width, picture.height, picture.channels, data);
      });
      return { outputs: [mixed] };
    },
  },
  ImageBatch: {
    async run(inputs) {
      const first = pictures(inputs['image1']);
      return { outputs: [[...first, ...(await alike(pictures(inputs['image2']), firstOf(first)))]] };
    },
  },
  ImageCrop: {
    async run(inputs) {
      const cropped = pictures(inputs['image']).map(async (each) => {
        const left = Math.min(number(inputs['x']), each.width - 1);
        const top = Math.min(number(inputs['y']), each.height - 1);
        const width = Math.min(number(inputs['width']), each.width - left);
        const height = Math.min(number(inputs['height']), each.height - top);
        if (each.solid) return solidPicture(width, height, each.solid);
        return fromSharp(toSharp(each).extract({ left, top, width, height }));
      });
      return { outputs: [await Promise.all(cropped)] };
    },
  },
  MaskToImage: {
    run(inputs) {
      const images = pictures(inputs['mask']).map(({ width, height, solid, ...mask }) => {
        if (solid) return solidPicture(width, height, [solid[0] ?? 0, solid[0] ?? 0, solid[0] ?? 0]);
        const grey = mask.pixels();
        const data = Buffer.alloc(grey.length * 3);
        for (let i = 0; i < grey.length; i++) data.fill(grey[i] ?? 0, i * 3, i * 3 + 3);
        return rasterPicture(width, height, 3, data);
      });
      return { outputs: [images] };
    },
  },
  InvertMask: {
    run(inputs) {
      return { outputs: [pictures(inputs['mask']).map(invert)] };
    },
  },
};
