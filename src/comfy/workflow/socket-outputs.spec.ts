import { describe, expect, it } from 'vitest';
import { overSocket, wantsSocket } from './socket-outputs.js';

const save = (images: unknown = ['1', 0]) => ({
  class_type: 'SaveImage',
  inputs: { images, filename_prefix: 'x' },
  _meta: { title: 'Save' },
});
const socket = (images: unknown = ['1', 0]) => ({
  class_type: 'SaveImageWebsocket',
  inputs: { images },
  _meta: { title: 'Save' },
});
const source = { class_type: 'EmptyImage', inputs: { width: 8 } };

describe('overSocket', () => {
  it('swaps the wanted node, or all, and changes nothing else', () => {
    const workflow = { '1': source, '2': save(), '3': save(['1', 1]), '4': { class_type: 'PreviewImage' } };
    const before = structuredClone(workflow);
    expect(overSocket(workflow, '2')).toEqual({ ...workflow, '2': socket() });
    expect(overSocket(workflow, undefined)).toEqual({ ...workflow, '2': socket(), '3': socket(['1', 1]) });
    expect(workflow).toEqual(before);
    expect(Object.keys(overSocket(workflow, undefined) ?? {})).toEqual(['1', '2', '3', '4']);
  });

  it.each([
    ['another class is wanted', { '1': source, '2': save(), '4': { class_type: 'PreviewImage' } }, '4'],
    [
      'somebody links to it',
      { '1': source, '2': save(), '5': { class_type: 'X', inputs: { a: ['2', 0] } } },
      '2',
    ],
    [
      'it is like SaveImage only by name',
      { '2': { class_type: 'SaveImageExtended', inputs: {} } },
      undefined,
    ],
    ['there is no such node', { '1': source }, undefined],
  ])('leaves the workflow alone where %s', (_, workflow, outputNode) => {
    expect(overSocket(workflow, outputNode)).toBeUndefined();
  });
});

it('knows where the socket is the only way', () => {
  const workflow = { '1': source, '2': socket(), '3': save() };
  expect([undefined, '2', '3', '9'].map((node) => wantsSocket(workflow, node))).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
