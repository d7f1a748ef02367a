type Workflow = Record<string, { class_type: string; inputs: Record<string, unknown> }>;

/** Never the same twice, so that nothing is served from ComfyUI's cache. */
export const salt = (): number => Math.floor(Math.random() * 0xff_ff_ff);

/** The smallest workflow; nodes that every ComfyUI has. */
export function picture({ width = 64, height = 64, batch = 1, color = salt() } = {}): Workflow {
  return {
    '1': { class_type: 'EmptyImage', inputs: { width, height, batch_size: batch, color } },
    '277': { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: 'e2e' } },
  };
}

/** Steps and previews (the recordings' probe extension). */
export function slow({ steps = 10, delayMs = 20, preview = false } = {}): Workflow {
  return {
    ...picture(),
    '2': {
      class_type: 'ProbeSlowImage',
      inputs: { image: ['1', 0], steps, delay_ms: delayMs, preview, salt: salt() },
    },
    '277': { class_type: 'SaveImage', inputs: { images: ['2', 0], filename_prefix: 'e2e' } },
  };
}

/** A node that fails, with `ValueError` or `OOM`. */
export function failing(kind: 'ValueError' | 'OOM'): Workflow {
  return {
    ...picture(),
    '2': { class_type: 'ProbeRaise', inputs: { image: ['1', 0], kind } },
    '277': { class_type: 'SaveImage', inputs: { images: ['2', 0], filename_prefix: 'e2e' } },
  };
}

/** A file of exactly that many bytes, streamed to ComfyUI's disk. */
export function big(size: number): Workflow {
  return { '277': { class_type: 'ProbeBytes', inputs: { size, extension: 'png', filename_prefix: 'big' } } };
}

/** The default text-to-image graph. */
export function textToImage(text: string, seed: number | bigint, steps = 4): Workflow {
  return {
    '3': {
      class_type: 'KSampler',
      inputs: {
        seed,
        steps,
        cfg: 7,
        sampler_name: 'euler',
        scheduler: 'normal',
        denoise: 1,
        model: ['4', 0],
        positive: ['6', 0],
        negative: ['7', 0],
        latent_image: ['5', 0],
      },
    },
    '4': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'random-sd15.safetensors' } },
    '5': { class_type: 'EmptyLatentImage', inputs: { width: 128, height: 128, batch_size: 1 } },
    '6': { class_type: 'CLIPTextEncode', inputs: { text, clip: ['4', 1] } },
    '7': { class_type: 'CLIPTextEncode', inputs: { text: 'blurry', clip: ['4', 1] } },
    '8': { class_type: 'VAEDecode', inputs: { samples: ['3', 0], vae: ['4', 2] } },
    '9': { class_type: 'SaveImage', inputs: { images: ['8', 0], filename_prefix: 'txt2img' } },
  };
}
