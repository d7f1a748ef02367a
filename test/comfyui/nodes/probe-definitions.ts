import type { JsonObject } from '../types.js';

/** A class as `/object_info` describes it. */
export function definition(
  name: string,
  required: JsonObject,
  output: string[],
  outputNode: boolean,
): JsonObject {
  return {
    input: { required },
    input_order: { required: Object.keys(required) },
    output,
    output_is_list: output.map(() => false),
    output_name: output,
    name,
    display_name: name,
    description: '',
    python_module: 'custom_nodes.probe_nodes',
    category: 'probe',
    output_node: outputNode,
  };
}

/** The small test extension of the recordings; ProbeLoadPicture, ProbeBytes and ProbeLists are ours. */
export const probeDefinitions: Record<string, JsonObject> = {
  ProbeSlowImage: definition(
    'ProbeSlowImage',
    {
      image: ['IMAGE'],
      steps: ['INT', { default: 4, min: 1, max: 100000 }],
      delay_ms: ['INT', { default: 100, min: 0, max: 60000 }],
      preview: ['BOOLEAN', { default: true }],
      salt: ['INT', { default: 0, min: 0, max: 2 ** 62 }],
    },
    ['IMAGE'],
    false,
  ),
  ProbeRaise: definition(
    'ProbeRaise',
    { image: ['IMAGE'], kind: [['ValueError', 'OOM', 'Blocked']] },
    ['IMAGE'],
    false,
  ),
  ProbeShowText: definition('ProbeShowText', { text: ['STRING', { default: 'hi' }] }, [], true),
  ProbeExpander: definition('ProbeExpander', { image: ['IMAGE'] }, ['IMAGE'], false),
  ProbeLoadPicture: definition(
    'ProbeLoadPicture',
    { picture: [[], { image_upload: true }], title: ['STRING', { default: '' }] },
    ['IMAGE', 'MASK'],
    false,
  ),
  ProbeBytes: definition(
    'ProbeBytes',
    {
      size: ['INT', { default: 1024, min: 0, max: 2 ** 40 }],
      extension: ['STRING', { default: 'png' }],
      filename_prefix: ['STRING', { default: 'bytes' }],
    },
    [],
    true,
  ),
  ProbeLists: definition(
    'ProbeLists',
    { lists: ['STRING', { default: '{}' }], filename_prefix: ['STRING', { default: 'lists' }] },
    [],
    true,
  ),
};
