import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readNodeClass } from '../client/node-class.js';
import { ClassInfo } from './class-info.js';
import { PathGuard } from './path-guard.js';

/** Node classes of a real server. */
const INFO: Record<string, unknown> = {
  ...(JSON.parse(
    readFileSync(
      new URL('../../../test/comfyui/recordings/0.3.64/object_info.json', import.meta.url),
      'utf8',
    ),
  ) as object),
  // From that of 0.8.0.
  CLIPLoader: { input: { required: { clip_name: [[], {}] } } },
  ResizeImageMaskNode: {
    input: {
      required: {
        resize_type: [
          'COMFY_DYNAMICCOMBO_V3',
          {
            options: [
              {
                key: 'scale dimensions',
                inputs: { required: { crop: ['COMBO', { options: ['disabled', 'center'] }] } },
              },
            ],
          },
        ],
      },
    },
  },
  BatchFilesNode: {
    input: {
      required: {
        files: [
          'COMFY_AUTOGROW_V3',
          {
            template: {
              input: { required: { picture: ['COMBO', { options: [], image_upload: true }] } },
              prefix: 'picture',
              max: 20,
            },
          },
        ],
      },
    },
  },
};
const OWN = '/output_images/image_1795460610911_0a1b2c3d4e5f.png';
const asked: string[] = [];
const classes = new ClassInfo({
  nodeClass: (name) => {
    asked.push(name);
    return Promise.resolve(name in INFO ? readNodeClass(INFO[name]) : undefined);
  },
});
const guard = new PathGuard(classes, (value) => value === OWN);
const check = (class_type: string, inputs: Record<string, unknown>, more = {}) =>
  guard.check({ '7': { class_type, inputs }, ...more });

describe('PathGuard', () => {
  it.each<[string, string, unknown]>([
    ['LoadImage', 'image', '/etc/passwd'],
    ['LoadImage', 'image', '../output/sync/x.png'],
    ['LoadImage', 'image', 'sync/x.png [output]'],
    ['LoadImageMask', 'image', 'x.png [temp]'],
    ['LoadImageOutput', 'image', 'x.png [output]'],
    ['LoadImage', 'image', 'C:\\x.png'],
    ['LoadImage', 'image', '\\\\server\\share\\x.png'],
    ['LoadImage', 'image', 'file:///etc/passwd'],
    ['LoadAudio', 'audio', '/x.wav'],
    ['LoadVideo', 'file', '/x.mp4'],
    ['LoadLatent', 'latent', '../x.latent'],
    ['Load3D', 'model_file', '/x.glb'],
    ['CheckpointLoaderSimple', 'ckpt_name', '../../x.safetensors'],
    ['LoraLoader', 'lora_name', '/x.safetensors'],
    ['CLIPLoader', 'clip_name', '/x'],
    ['Unknown', 'options', { lora: '../x.safetensors' }],
    ['SaveImage', 'filename_prefix', '/tmp/x'],
    ['SaveImage', 'filename_prefix', 'a/../../x'],
    ['SaveLoRA', 'prefix', '/tmp/x'],
    ['SaveImageTextDataSetToFolder', 'folder_name', '/tmp/x'],
    ['SaveImageDataSetToFolder', 'folder_name', '..\\x'],
    ['SaveTrainingDataset', 'folder_name', '../x'],
    ['LoadTrainingDataset', 'folder_name', '/etc'],
    ['Extension', 'directory', '/home'],
    ['Extension', 'settings.output_dir', '/home'],
    ['Extension', 'file_paths.path', ['a', '/home']],
    ['ResizeImageMaskNode', 'resize_type.crop', '/x'],
    ['BatchFilesNode', 'files.picture12', '/x'],
  ])('refuses %s.%s: %j', async (classType, input, value) => {
    await expect(check(classType, { [input]: value })).rejects.toMatchObject({
      code: 'invalid_input',
      at: { node: '7', input },
      message: expect.stringContaining('COMFYUI_ALLOW_HOST_PATHS') as string,
    });
  });

  it.each<[string, string, unknown]>([
    ['LoadImage', 'image', 'sub/x.png'],
    ['LoadImage', 'image', 'x.png [input]'],
    ['LoadImage', 'image', OWN],
    ['LoadImage', 'image', 'https://example.com/a/../x.png'],
    ['LoadImage', 'image', `/9j/${'A'.repeat(80)}`],
    ['LoadImage', 'image', 'data:,/../x'],
    ['LoadImage', 'image', { __type: 'core/ASSET', info: { id: '/../x' } }],
    ['CLIPTextEncode', 'text', '/imagine ../x a cat [output]'],
    ['PrimitiveString', 'value', '/home/me'],
    ['AddTextPrefix', 'prefix', '/x'],
    ['SaveImage', 'filename_prefix', '%date:yyyy-MM-dd%/cat..s'],
    ['KSampler', 'sampler_name', 'euler'],
    ['Unknown', 'text', '/x'],
    ['Extension', 'video_path', 'https://example.com/a/../x.mp4'],
  ])('passes %s.%s: %j', async (classType, input, value) => {
    await expect(check(classType, { [input]: value })).resolves.toBeUndefined();
  });

  it('looks at what a linked path is made of', async () => {
    const text = (value: string) => ({ class_type: 'PrimitiveString', inputs: { value } });
    const joined = { class_type: 'StringConcatenate', inputs: { string_a: ['1', 0], string_b: 'x' } };
    const save = (value: string) =>
      check('SaveImage', { filename_prefix: ['2', 0] }, { '1': text(value), '2': joined });
    await expect(save('/tmp/')).rejects.toMatchObject({ at: { node: '7', input: 'filename_prefix' } });
    await expect(save('cats/')).resolves.toBeUndefined();
    const circle = { '2': { class_type: 'A', inputs: { a: ['2', 0], b: ['7', 0] } } };
    await expect(check('SaveImage', { filename_prefix: ['2', 0] }, circle)).resolves.toBeUndefined();
  });

  it('asks about nothing where no value looks like such a path, and refuses what is too much to ask', async () => {
    asked.length = 0;
    await check('Strange', { image: 'x.png', text: 'a cat' });
    expect(asked).toEqual([]);
    const many = Object.fromEntries(
      Array.from({ length: 70 }, (_, index) => [
        `n${index}`,
        { class_type: `Class${index}`, inputs: { picture: '/etc/passwd' } },
      ]),
    );
    await expect(guard.check(many)).rejects.toMatchObject({ code: 'invalid_input' });
  });
});
