import { describe, expect, it } from 'vitest';
import { assetReferences, withFileNames } from './asset-reference.js';

const reference = (id: unknown) => ({
  __type: 'core/ASSET',
  info: { id, hash: 'blake3:00', file_path: 'a.png' },
});

const workflow = {
  '1': { class_type: 'LoadImage', inputs: { image: reference('A-1') } },
  '2': { class_type: 'X', inputs: { list: [1, { deep: reference('b') }], link: ['1', 0] } },
  '3': { class_type: 'Y' },
};

describe('assets in a workflow', () => {
  it('are found wherever they stand', () => {
    expect(assetReferences(workflow)).toEqual([
      { id: 'a-1', node: '1', input: 'image' },
      { id: 'b', node: '2', input: 'list' },
    ]);
  });

  it.each([[reference(7)], [{ __type: 'core/ASSET' }], [{ __type: 'core/ASSET', info: null }]])(
    'without a usable id are found as well: %j',
    (value) => {
      expect(assetReferences({ '1': { class_type: 'A', inputs: { value } } })).toEqual([
        { id: undefined, node: '1', input: 'value' },
      ]);
    },
  );

  it('give way to names of files; the rest is as it was', () => {
    const before = structuredClone(workflow);
    const named = withFileNames(workflow, new Map([['a-1', 'comfy-sync/x.png']]));
    expect(named['1']?.inputs).toEqual({ image: 'comfy-sync/x.png' });
    expect(named['2']).toBe(workflow['2']);
    expect(named['3']).toBe(workflow['3']);
    expect(workflow).toEqual(before);
    const all = withFileNames(workflow, new Map([['b', 'y']]));
    expect(all['2']?.inputs).toEqual({ list: [1, { deep: 'y' }], link: ['1', 0] });
    expect(withFileNames(workflow, new Map())).toBe(workflow);
  });
});
