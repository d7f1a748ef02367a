import { describe, expect, it } from 'vitest';
import { readNodeClass } from './node-class.js';

describe('what /object_info says of files', () => {
  it.each<[string, unknown, [string, string][]]>([
    // From `object_info.json` of 0.3.64.
    ['LoadImage', { required: { image: [['a.png'], { image_upload: true }] } }, [['image', 'image']]],
    [
      'LoadVideo',
      { required: { file: ['COMBO', { multiselect: false, options: [], video_upload: true }] } },
      [['file', 'video']],
    ],
    [
      'Load3D',
      { required: { model_file: [[], { file_upload: true }], image: ['LOAD_3D', {}], width: ['INT', {}] } },
      [['model_file', 'file']],
    ],
    ['optional ones', { optional: { audio: [[], { audio_upload: true }] } }, [['audio', 'audio']]],
    // As in `object_info.json` of 0.8.0, with inputs that take files.
    [
      'dynamic ones',
      {
        required: {
          images: [
            'COMFY_AUTOGROW_V3',
            {
              template: {
                input: { required: { image: ['COMBO', { image_upload: true }] } },
                prefix: 'image',
                max: 2,
              },
            },
          ],
          named: [
            'COMFY_AUTOGROW_V3',
            {
              template: { input: { required: { v: ['COMBO', { video_upload: true }] } }, names: ['a', 'b'] },
            },
          ],
          source: [
            'COMFY_DYNAMICCOMBO_V3',
            {
              options: [
                { key: 'none', inputs: {} },
                { key: 'file', inputs: { required: { audio: ['COMBO', { audio_upload: true }] } } },
              ],
            },
          ],
          odd: ['COMFY_AUTOGROW_V3', { template: null }],
          odder: ['COMFY_DYNAMICCOMBO_V3', { options: [null, 1] }],
        },
      },
      [
        ['images.image0', 'image'],
        ['images.image1', 'image'],
        ['named.a', 'video'],
        ['named.b', 'video'],
        ['source.audio', 'audio'],
      ],
    ],
    ['texts', { required: { text: ['STRING', { multiline: true }], url: ['STRING'] } }, []],
    ['nothing', undefined, []],
    ['marks that say no', { required: { image: [[], { image_upload: false }], b: 'odd', c: [] } }, []],
  ])('%s', (_, input, media) => {
    expect([...readNodeClass({ input }).media]).toEqual(media);
  });
});

describe('what /object_info says of the node itself', () => {
  it.each<[string, unknown, Partial<ReturnType<typeof readNodeClass>>]>([
    ['SaveImage', { output_node: true, api_node: false }, { outputNode: true, apiNode: false }],
    ['a partner node', { output_node: false, api_node: true }, { outputNode: false, apiNode: true }],
    ['of 0.3.11', { output_node: false }, { outputNode: false, apiNode: undefined }],
    ['something odd', { output_node: 1, api_node: null }, { outputNode: undefined, apiNode: undefined }],
    ['nothing', undefined, { outputNode: undefined, apiNode: undefined }],
  ])('%s', (_, info, expected) => {
    expect(readNodeClass(info)).toMatchObject(expected);
  });
});
