import { describe, expect, it } from 'vitest';
import { isPathName, pathFault } from './host-path.js';

describe('pathFault', () => {
  it.each([
    ['/etc/passwd', 'absolute'],
    [' /etc/passwd', 'absolute'],
    ['\\Windows\\x', 'absolute'],
    ['\\\\server\\share\\x.png', 'absolute'],
    ['//server/share', 'absolute'],
    ['C:\\x.png', 'absolute'],
    ['c:/x.png', 'absolute'],
    ['C:x.png', 'absolute'],
    ['file:///etc/passwd', 'absolute'],
    ['FILE:x', 'absolute'],
    ['~/x', 'absolute'],
    ['../x.png', 'parent'],
    ['a/../../x.png', 'parent'],
    ['a\\..\\x.png', 'parent'],
    ['..', 'parent'],
    ['a/..', 'parent'],
    ['../x.png [input]', 'parent'],
    ['x.png [output]', 'annotation'],
    ['x.png[temp]', 'annotation'],
    ['/x.png [output]', 'annotation'],
    ['x.png', undefined],
    ['x.png [input]', undefined],
    ['sub/folder\\x.png', undefined],
    ['a..b/..c/d...png', undefined],
    ['%date:yyyy-MM-dd%/x', undefined],
    ['https://example.com/a/../b.png', 'parent'],
    ['', undefined],
  ])('%j: %s', (value, fault) => {
    expect(pathFault(value)).toBe(fault);
  });
});

describe('isPathName', () => {
  it.each([
    ['SaveImage', 'filename_prefix', true],
    ['SaveLoRA', 'prefix', true],
    ['AddTextPrefix', 'prefix', false],
    ['SaveImageTextDataSetToFolder', 'folder_name', true],
    ['VHS_LoadImagesPath', 'directory', true],
    ['Any', 'output_path', true],
    ['Any', 'options.output_dir', true],
    ['CLIPTextEncode', 'text', false],
    ['KSampler', 'sampler_name', false],
    ['Any', 'profile', false],
  ])('%s.%s: %s', (classType, input, is) => {
    expect(isPathName(classType, input)).toBe(is);
  });
});
