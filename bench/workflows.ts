export type Graph = Record<string, { class_type: string; inputs: Record<string, unknown> }>;

/** The node whose file is wanted, in every workflow here. */
export const OUTPUT_NODE = '9';

let made = 0;

/**
 * A 64×64 picture of one colour. The colour changes from call to call, as ComfyUI would otherwise answer from its cache; it
 * comes round again after 64 so that the stand-in need not encode it again.
 */
export function tinyPicture(): Graph {
  made += 1;
  const color = (made % 64) * 0x03_02_01;
  return {
    '1': { class_type: 'EmptyImage', inputs: { width: 64, height: 64, batch_size: 1, color } },
    [OUTPUT_NODE]: { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: 'bench' } },
  };
}

/**
 * A picture out of the input folder, saved as a batch of `count`, a power of two. ComfyUI has it in its cache after the first
 * time: what is left is to encode it, and to hand it out.
 */
export function savedPicture(image: string, count: number): Graph {
  const graph: Graph = { '1': { class_type: 'LoadImage', inputs: { image } } };
  let last = '1';
  for (let size = 1; size < count; size *= 2) {
    const id = String(10 + size);
    graph[id] = { class_type: 'ImageBatch', inputs: { image1: [last, 0], image2: [last, 0] } };
    last = id;
  }
  const inputs = { images: [last, 0], filename_prefix: 'bench' };
  return { ...graph, [OUTPUT_NODE]: { class_type: 'SaveImage', inputs } };
}

/** A file of about `bytes`, a different one each time. Only the stand-in has this node. */
export function largeFile(bytes: number): Graph {
  made += 1;
  const inputs = { size: bytes + (made % 64), extension: 'png', filename_prefix: 'large' };
  return { [OUTPUT_NODE]: { class_type: 'ProbeBytes', inputs } };
}

/** A picture that takes `steps` times 100 ms, with a preview of 512×512 for each if so wanted. Only the stand-in has its node. */
export function slowPicture(steps: number, preview = false): Graph {
  made += 1;
  const graph = tinyPicture();
  if (preview) Object.assign(graph['1']?.inputs ?? {}, { width: 512, height: 512 });
  const inputs = { image: ['1', 0], steps, delay_ms: 100, preview, salt: made };
  const output = graph[OUTPUT_NODE];
  return {
    ...graph,
    '2': { class_type: 'ProbeSlowImage', inputs },
    [OUTPUT_NODE]: { class_type: 'SaveImage', inputs: { ...output?.inputs, images: ['2', 0] } },
  };
}

/** Occupies the backend for two minutes, or until it is interrupted. */
export const blocker = () => slowPicture(1_200);

/**
 * A small picture drawn with this checkpoint, from text. `salt` is the cfg: nothing is the same as in the job before, so
 * that no cache answers, and the stand-in paints the same picture all the same.
 */
export function textToImage(checkpoint: string, salt: number): Graph {
  const sampling = { seed: 1, steps: 1, cfg: 1 + salt / 1_000, denoise: 1 };
  return {
    '3': {
      class_type: 'KSampler',
      inputs: {
        ...sampling,
        sampler_name: 'euler',
        scheduler: 'normal',
        model: ['4', 0],
        positive: ['6', 0],
        negative: ['7', 0],
        latent_image: ['5', 0],
      },
    },
    '4': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: checkpoint } },
    '5': { class_type: 'EmptyLatentImage', inputs: { width: 64, height: 64, batch_size: 1 } },
    '6': { class_type: 'CLIPTextEncode', inputs: { text: 'a red fox', clip: ['4', 1] } },
    '7': { class_type: 'CLIPTextEncode', inputs: { text: '', clip: ['4', 1] } },
    '8': { class_type: 'VAEDecode', inputs: { samples: ['3', 0], vae: ['4', 2] } },
    [OUTPUT_NODE]: { class_type: 'SaveImage', inputs: { images: ['8', 0], filename_prefix: 'bench' } },
  };
}

/** A node that raises. Only the stand-in has it. */
export function failing(): Graph {
  const graph = tinyPicture();
  const output = graph[OUTPUT_NODE];
  return {
    ...graph,
    '2': { class_type: 'ProbeRaise', inputs: { image: ['1', 0], kind: 'ValueError' } },
    [OUTPUT_NODE]: { class_type: 'SaveImage', inputs: { ...output?.inputs, images: ['2', 0] } },
  };
}
