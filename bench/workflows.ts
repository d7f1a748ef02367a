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

/** A file of about `bytes`, a different one each time. Only the stand-in has this node. */
export function largeFile(bytes: number): Graph {
  made += 1;
  const inputs = { size: bytes + (made % 64), extension: 'png', filename_prefix: 'large' };
  return { [OUTPUT_NODE]: { class_type: 'ProbeBytes', inputs } };
}

/** Occupies the backend for two minutes, or until it is interrupted. Only the stand-in has this node. */
export function blocker(): Graph {
  made += 1;
  const graph = tinyPicture();
  const inputs = { image: ['1', 0], steps: 1_200, delay_ms: 100, preview: false, salt: made };
  const output = graph[OUTPUT_NODE];
  return {
    ...graph,
    '2': { class_type: 'ProbeSlowImage', inputs },
    [OUTPUT_NODE]: { class_type: 'SaveImage', inputs: { ...output?.inputs, images: ['2', 0] } },
  };
}
