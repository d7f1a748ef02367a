import { describe, expect, it } from 'vitest';
import { shapeOf } from './shape.js';
import type { Workflow } from './workflow.js';

interface Wishes {
  seed?: number | bigint;
  text?: string;
  steps?: number;
  size?: number;
  model?: string;
  prefix?: string;
}

function picture({ seed = 1, text = 'a fox', steps = 20, size = 512, ...rest }: Wishes = {}): Workflow {
  const { model = 'sd15.safetensors', prefix = 'x' } = rest;
  return {
    '3': {
      class_type: 'KSampler',
      inputs: {
        seed,
        steps,
        cfg: 7,
        sampler_name: 'euler',
        model: ['4', 0],
        positive: ['6', 0],
        latent: ['5', 0],
      },
    },
    '4': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: model } },
    '5': { class_type: 'EmptyLatentImage', inputs: { width: size, height: size, batch_size: 1 } },
    '6': { class_type: 'CLIPTextEncode', inputs: { text, clip: ['4', 1] } },
    '9': { class_type: 'SaveImage', inputs: { images: ['3', 0], filename_prefix: prefix } },
  };
}

/** The same nodes under other ids, in another order. */
function renumbered(workflow: Workflow, rename: (id: string) => string): Workflow {
  const entries = Object.entries(workflow).map(([id, { inputs = {}, ...node }]) => {
    const linked = Object.entries(inputs).map(([name, value]) => [
      name,
      Array.isArray(value) ? [rename(String(value[0])), value[1] as unknown] : value,
    ]);
    return [rename(id), { inputs: Object.fromEntries(linked.reverse()) as object, ...node }];
  });
  return Object.fromEntries(entries.reverse()) as Workflow;
}

/** A node that takes from the one before it, so many times. */
function chain(length: number): Workflow {
  const nodes = Array.from({ length }, (_, index) => [
    `${index}`,
    { class_type: 'ImageInvert', inputs: index === 0 ? { width: 64 } : { image: [`${index - 1}`, 0] } },
  ]);
  return Object.fromEntries(nodes) as Workflow;
}

describe('shapeOf', () => {
  const shape = shapeOf(picture());

  it('is a short name', () => {
    expect(shape).toMatch(/^[\w-]{16}$/);
  });

  it.each([
    ['another seed', picture({ seed: 18_446_744_073_709_551_615n })],
    ['another text', picture({ text: 'a bear.' })],
    ['another prefix', picture({ prefix: 'y' })],
    ['other ids', renumbered(picture(), (id) => `${100 - Number(id)}:7`)],
    [
      'titles',
      Object.fromEntries(Object.entries(picture()).map(([id, node]) => [id, { ...node, _meta: {} }])),
    ],
  ])('is the same with %s', (_, workflow) => {
    expect(shapeOf(workflow)).toBe(shape);
  });

  it('is another with other work', () => {
    const { '9': _, ...less } = picture();
    const turned = picture();
    turned['6'] = { class_type: 'CLIPTextEncode', inputs: { text: 'a fox', clip: ['3', 1] } };
    const others = [
      picture({ steps: 21 }),
      picture({ size: 768 }),
      picture({ model: 'sdxl.safetensors' }),
      { ...picture(), '10': { class_type: 'SaveImage', inputs: { images: ['3', 0] } } },
      less,
      turned,
    ];
    expect(new Set([shape, ...others.map(shapeOf)]).size).toBe(others.length + 1);
  });

  it('knows the numbers that other nodes hold, and not their seeds', () => {
    const linked = (value: number, seed: number): Workflow => ({
      ...picture(),
      '5': { class_type: 'EmptyLatentImage', inputs: { width: ['20', 0], height: 64, batch_size: 1 } },
      '20': { class_type: 'PrimitiveInt', inputs: { value, seed } },
      '21': { class_type: 'PrimitiveInt', inputs: { value: seed } },
    });
    expect(shapeOf(linked(512, 1))).toBe(shapeOf(linked(512, 2)));
    expect(shapeOf(linked(512, 1))).not.toBe(shapeOf(linked(768, 1)));
  });

  it('knows one node used twice from two nodes', () => {
    const save = (node: string) => ({ class_type: 'SaveImage', inputs: { images: [node, 0] } });
    const image = { class_type: 'EmptyImage', inputs: { width: 64 } };
    expect(shapeOf({ a: image, c: save('a'), d: save('a') })).not.toBe(
      shapeOf({ a: image, b: image, c: save('a'), d: save('b') }),
    );
  });

  it('ends with circles, and with links that lead nowhere', () => {
    const circle: Workflow = {
      a: { class_type: 'A', inputs: { x: ['b', 0], self: ['a', 0] } },
      b: { class_type: 'B', inputs: { x: ['a', 0], y: ['gone', 0] } },
      c: { class_type: 'C' },
    };
    expect(shapeOf(circle)).toMatch(/^[\w-]{16}$/);
  });

  it('goes as deep as a workflow does, and knows its end', () => {
    const deep = chain(5_000);
    expect(shapeOf(deep)).toBe(shapeOf(renumbered(deep, (id) => `${9_999 - Number(id)}`)));
    deep['0'] = { class_type: 'ImageInvert', inputs: { width: 65 } };
    expect(shapeOf(deep)).not.toBe(shapeOf(chain(5_000)));
  });

  it('reads each link once, however many ways lead to a node', () => {
    const nodes = Array.from({ length: 2_000 }, (_, index) => [
      `${index}`,
      {
        class_type: 'ImageBlend',
        inputs: { a: [`${index - 1}`, 0], b: [`${index - 1}`, 0], c: [`${index - 2}`, 0] },
      },
    ]);
    const begun = performance.now();
    shapeOf(Object.fromEntries(nodes) as Workflow);
    // 2^2000 ways; some 6 ms.
    expect(performance.now() - begun).toBeLessThan(500);
  });
});
