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
    ['texts', { required: { text: ['STRING', { multiline: true }], url: ['STRING'] } }, []],
    ['nothing', undefined, []],
    ['marks that say no', { required: { image: [[], { image_upload: false }], b: 'odd', c: [] } }, []],
  ])('%s', (_, input, media) => {
    expect([...readNodeClass({ input }).media]).toEqual(media);
  });
});
