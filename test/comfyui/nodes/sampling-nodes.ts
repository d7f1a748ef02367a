import { type Painting, paint, veil } from '../media/paint.js';
import { solidPicture, type Picture } from '../media/picture.js';
import { scale } from './image-nodes.js';
import { firstOf, type NodeClass, number, pictures, text } from './node.js';

/** What travels along a LATENT link. */
export interface Latent {
  readonly width: number;
  readonly height: number;
  readonly batch: number;
  /** Set by KSampler, one for each picture of the batch. */
  readonly paintings?: readonly Painting[];
  /** Set by VAEEncode: the pictures the latent was made of. */
  readonly origin?: readonly Picture[];
  /** How much of the painting covers the origin: the sampler's `denoise`. */
  readonly strength?: number;
}

/** Previews are painted at this side before the encoder fits them into 512×512, to keep a step cheap. */
const PREVIEW_SIDE = 128;

export const samplingNodes: Record<string, NodeClass> = {
  CheckpointLoaderSimple: {
    async run(inputs, { needModel }) {
      const name = text(inputs['ckpt_name']);
      await needModel(name);
      return { outputs: [{ model: name }, { clip: name }, { vae: name }] };
    },
  },
  CLIPTextEncode: {
    run: (inputs) => ({ outputs: [{ text: inputs['text'] }] }),
  },
  EmptyLatentImage: {
    run(inputs) {
      const latent: Latent = {
        width: number(inputs['width']),
        height: number(inputs['height']),
        batch: number(inputs['batch_size']),
      };
      return { outputs: [latent] };
    },
  },
  VAEEncode: {
    async run(inputs, { needModel }) {
      await needModel((inputs['vae'] as { vae: string }).vae);
      const origin = pictures(inputs['pixels']);
      const { width, height } = firstOf(origin);
      const latent: Latent = {
        width: width - (width % 8),
        height: height - (height % 8),
        batch: origin.length,
        origin,
      };
      return { outputs: [latent] };
    },
  },
  KSampler: {
    async run(inputs, { encoder, needModel, options, progress, sleep }) {
      await needModel((inputs['model'] as { model: string }).model);
      const latent = inputs['latent_image'] as Latent;
      const steps = number(inputs['steps']);
      const seed = number(inputs['seed']);
      const positive = (inputs['positive'] as { text: string }).text;
      const paintings = Array.from({ length: latent.batch }, (_, index) => ({
        text: positive,
        seed: seed + index,
      }));
      const side = Math.max(latent.width, latent.height);
      const small = await paint(
        { text: positive, seed },
        Math.max(1, Math.round((latent.width / side) * PREVIEW_SIDE)),
        Math.max(1, Math.round((latent.height / side) * PREVIEW_SIDE)),
      );
      for (let step = 1; step <= steps; step++) {
        await sleep(options.stepDelayMs);
        const noisy = veil(small, seed, 1 - step / steps);
        progress(step, steps, { format: 'image/jpeg', data: await encoder.preview(noisy) });
      }
      const sampled: Latent = { ...latent, paintings, strength: number(inputs['denoise']) };
      return { outputs: [sampled] };
    },
  },
  VAEDecode: {
    async run(inputs, { needModel }) {
      await needModel((inputs['vae'] as { vae: string }).vae);
      const latent = inputs['samples'] as Latent;
      const decoded = Array.from({ length: latent.batch }, (_, index) => decode(latent, index));
      return { outputs: [await Promise.all(decoded)] };
    },
  },
};

async function decode(latent: Latent, index: number): Promise<Picture> {
  const { width, height, strength = 1 } = latent;
  const painting = latent.paintings?.[index];
  const origin = latent.origin?.[index];
  const below = origin && (await scale(origin, width, height, 'bilinear', true));
  if (painting === undefined) return below ?? solidPicture(width, height, [0.5, 0.5, 0.5]);
  const painted = await paint(painting, width, height);
  if (below === undefined || strength >= 1) return painted;
  const base = below.pixels();
  const data = Buffer.from(painted.pixels());
  for (let i = 0; i < data.length; i++) {
    data[i] = Math.round((base[i] ?? 0) * (1 - strength) + (data[i] ?? 0) * strength);
  }
  return { width, height, channels: 3, pixels: () => data };
}
