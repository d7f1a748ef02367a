import { describe, expect, it } from 'vitest';
import { embeddedForm, knownMedia } from './media.js';

const BASE64 = Buffer.alloc(60, 'picture').toString('base64');

describe('what stands in a media input', () => {
  it.each([
    ['photo.png', undefined],
    ['sub/photo.png [input]', undefined],
    ['C:\\pictures\\photo.png', undefined],
    ['long_name_of_a_file_without_a_dot'.repeat(3), undefined],
    ['0123456789abcdef'.repeat(4), undefined],
    ['', undefined],
    [['10', 0], undefined],
    [7, undefined],
    [{ __type: 'core/ASSET' }, undefined],
    [BASE64, 'base64'],
    [BASE64.slice(0, 60), undefined],
    [`_9j_${'A-'.repeat(130)}`, 'base64'],
    [`data:image/png;base64,${BASE64}`, 'data'],
    [' DATA:,x', 'data'],
    ['https://example.com/a.png', 'url'],
    ['HTTP:example.com', 'url'],
    ['file:///etc/passwd', 'url'],
    ['gopher://example.com', 'url'],
  ])('%j', (value, form) => {
    expect(embeddedForm(value)).toBe(form);
  });

  it('is known of loaders, and of nothing that only has such a name', () => {
    expect(knownMedia('LoadImage', 'image')).toBe('image');
    expect(knownMedia('LoadVideo', 'file')).toBe('video');
    expect(knownMedia('LoadImage', 'constructor')).toBeUndefined();
    expect(knownMedia('constructor', 'name')).toBeUndefined();
    expect(knownMedia('CLIPTextEncode', 'text')).toBeUndefined();
  });
});
