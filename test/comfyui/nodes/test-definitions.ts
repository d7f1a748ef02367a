import type { JsonObject } from '../types.js';
import { definition } from './probe-definitions.js';

const text = (value: string) => ['STRING', { default: value }];
const seconds = ['FLOAT', { default: 1, min: 0, max: 100000, step: 0.01 }];
const raising = { image: ['IMAGE'], exception: text('RuntimeError'), message: text('x') };

function withOptional(base: JsonObject, optional: JsonObject): JsonObject {
  const input = { ...(base['input'] as JsonObject), optional };
  const order = { ...(base['input_order'] as JsonObject), optional: Object.keys(optional) };
  return { ...base, input, input_order: order };
}

/** Nodes that do on purpose what extensions do in the field. */
export const testDefinitions: Record<string, JsonObject> = {
  TestUI: withOptional(definition('TestUI', { value: text('{}') }, [], true), { any: ['*'] }),
  TestRaise: definition('TestRaise', raising, ['IMAGE'], false),
  TestRaiseOutput: definition('TestRaiseOutput', raising, ['IMAGE'], true),
  TestSleep: definition('TestSleep', { image: ['IMAGE'], seconds }, ['IMAGE'], false),
  TestPartner: {
    ...definition('TestPartner', { image: ['IMAGE'], seconds }, ['IMAGE'], false),
    api_node: true,
  },
  TestFixedName: definition('TestFixedName', { images: ['IMAGE'], name: text('fixed.png') }, [], true),
  TestPrefixAsName: withOptional(
    definition('TestPrefixAsName', { images: ['IMAGE'], filename_prefix: text('ComfyUI') }, [], true),
    { style: [['raise', 'was'], { default: 'raise' }] },
  ),
  TestEmptyFile: withOptional(definition('TestEmptyFile', { name: text('empty.png') }, [], true), {
    images: ['IMAGE'],
  }),
  TestMissingFile: withOptional(definition('TestMissingFile', { name: text('missing.png') }, [], true), {
    images: ['IMAGE'],
  }),
  TestPathInFilename: definition(
    'TestPathInFilename',
    { images: ['IMAGE'], path: text('sub/x.png') },
    [],
    true,
  ),
  TestResult3D: withOptional(definition('TestResult3D', { path: text('sub/model.glb') }, [], true), {
    form: [['path', 'path+camera', 'path+camera+background'], { default: 'path' }],
    any: ['*'],
  }),
  TestSaveText: withOptional(
    definition('TestSaveText', { text: text('hello'), name: text('x.txt') }, [], true),
    {
      any: ['*'],
    },
  ),
};
