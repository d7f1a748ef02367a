import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readNodeClass } from '../client/node-class.js';
import { ClassInfo } from './class-info.js';
import { SeedDrawer } from './seed-drawer.js';

const seedOf = (type: string, options: object, section = 'required') => ({
  input: { [section]: { seed: [type, options] } },
});
const INFO: Record<string, unknown> = {
  ...(JSON.parse(
    readFileSync(
      new URL('../../../test/comfyui/recordings/0.3.64/object_info.json', import.meta.url),
      'utf8',
    ),
  ) as object),
  'Seed (extension)': seedOf('INT', { min: -1_125_899_906_842_624, max: 1_125_899_906_842_624 }),
  TrainLoraNode: seedOf('INT', { min: 0, max: 2 ** 64 }),
  ImageAddNoise: seedOf('INT', { min: 0, max: 2 ** 64, control_after_generate: true }),
  ShuffleDataset: seedOf('INT', { min: 0, max: 2 ** 64 }),
  SmallSampler: seedOf('INT', { min: 5, max: 7, control_after_generate: true }),
  OptionalSampler: seedOf('INT', { min: 0, max: 99 }, 'optional'),
  TextSampler: seedOf('STRING', {}),
  DynamicGenerator: {
    input: {
      required: {
        mode: [
          'COMFY_DYNAMICCOMBO_V3',
          {
            options: [{ key: 'a', inputs: { required: { seed: ['INT', { min: 0, max: 2_147_483_647 }] } } }],
          },
        ],
      },
    },
  },
};
const drawer = new SeedDrawer(
  new ClassInfo({
    nodeClass: (name) => Promise.resolve(name in INFO ? readNodeClass(INFO[name]) : undefined),
  }),
);
const draw = (class_type: string, inputs: Record<string, unknown>) =>
  drawer.draw({ '3': { class_type, inputs } });

describe('SeedDrawer', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['KSampler', { seed: -1 }, 'seed'],
    ['KSampler', { seed: '-1' }, 'seed'],
    ['KSampler', { seed: null }, 'seed'],
    ['KSampler', { steps: 4 }, 'seed'],
    ['KSamplerAdvanced', { noise_seed: -1 }, 'noise_seed'],
    ['RandomNoise', {}, 'noise_seed'],
    ['SamplerCustom', { noise_seed: -1 }, 'noise_seed'],
    ['ImageAddNoise', { strength: 1 }, 'seed'],
    ['ShuffleDataset', { seed: null }, 'seed'],
    ['TrainLoraNode', { seed: -1 }, 'seed'],
    ['Seed (extension)', { seed: null }, 'seed'],
    ['OptionalSampler', { seed: null }, 'seed'],
    ['DynamicGenerator', { mode: 'a', 'mode.seed': -1 }, 'mode.seed'],
  ])('draws one for %s %j', async (classType, inputs, input) => {
    const { workflow, seeds } = await draw(classType, inputs);
    const [seed] = seeds;
    expect(seeds).toEqual([{ node: '3', input, value: expect.any(Number) as number }]);
    expect(Number.isSafeInteger(seed?.value) && (seed?.value ?? -1) >= 0).toBe(true);
    expect(workflow['3']?.inputs).toEqual({ ...inputs, [input]: seed?.value });
  });

  it.each<[string, Record<string, unknown>]>([
    ['KSampler', { seed: 0 }],
    ['KSampler', { seed: Number.MAX_SAFE_INTEGER }],
    ['KSampler', { seed: ['4', 0] }],
    ['KSampler', { seed: -2 }],
    ['Seed (extension)', { seed: -1 }],
    ['OptionalSampler', {}],
    ['TextSampler', { seed: '-1' }],
    ['PrimitiveInt', { value: -1 }],
    ['PrimitiveInt', { value: null }],
    ['CLIPSetLastLayer', { stop_at_clip_layer: -1 }],
    ['Unknown', { seed: -1 }],
    ['DynamicGenerator', { mode: 'b' }],
  ])('leaves %s %j alone', async (classType, inputs) => {
    const workflow = { '3': { class_type: classType, inputs } };
    expect(await drawer.draw(workflow)).toEqual({ workflow, seeds: [] });
  });

  it('draws every value of the range', async () => {
    const drawn = new Set<number>();
    while (drawn.size < 3) {
      const { seeds } = await draw('SmallSampler', { seed: -1 });
      for (const { value } of seeds) drawn.add(value);
    }
    expect(drawn).toEqual(new Set([5, 6, 7]));
  });
});
