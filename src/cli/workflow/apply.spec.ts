import { describe, expect, it } from 'vitest';
import { applyAssignments, placeAssignments } from './apply.js';
import { parseAssignment } from './assignment.js';
import { parseJson, stringifyJson } from './json.js';
import type { WorkflowNode } from './workflow.js';

const WORKFLOW: Record<string, WorkflowNode> = {
  '3': { class_type: 'KSampler', inputs: { seed: 1, 'mode.width': 2 }, _meta: { title: 'Sampler v1.0' } },
  '6': { class_type: 'CLIPTextEncode', inputs: { text: 'a' }, _meta: { title: 'Prompt' } },
  '7': { class_type: 'CLIPTextEncode', inputs: { text: 'b' }, _meta: { title: 'Prompt' } },
  '57:8': { class_type: 'LoadImage', inputs: { image: 'x.png' }, _meta: { title: '3' } },
  '9': { class_type: 'Empty' },
};

const set = (sources: string[], force = false, assets: [string, string][] = []) =>
  applyAssignments(
    WORKFLOW,
    placeAssignments(WORKFLOW, sources.map(parseAssignment), force),
    new Map(assets),
  );

describe('setting inputs', () => {
  it('finds nodes by id and by title, with dots wherever they are', () => {
    const result = set(['3.seed=5', 'Sampler v1.0.mode.width=7', '57:8.image=y.png']);
    expect(result['3']?.inputs).toEqual({ seed: 5, 'mode.width': 7 });
    expect(result['57:8']?.inputs).toEqual({ image: 'y.png' });
    expect(WORKFLOW['3']?.inputs).toEqual({ seed: 1, 'mode.width': 2 });
  });

  it('an id beats a title', () => {
    // Node 57:8 is called 3.
    expect(() => set(['3.image=y.png'])).toThrow('node 3 (KSampler) has no input "image"');
  });

  it('the last of several counts', () => {
    expect(set(['3.seed=5', '3.seed=6'])['3']?.inputs?.['seed']).toBe(6);
  });

  it('puts assets where files were named', () => {
    const result = set(['57:8.image=@a.png'], false, [['a.png', 'some-id']]);
    expect(result['57:8']?.inputs?.['image']).toEqual({ __type: 'core/ASSET', info: { id: 'some-id' } });
  });

  it.each([
    ['99.text=x', 'the workflow has no such node', '3 (Sampler v1.0), 6 (Prompt)'],
    ['constructor.text=x', 'the workflow has no such node', '57:8 (3)'],
    ['6.txt=x', 'node 6 (CLIPTextEncode) has no input "txt"', 'Its inputs are text; --force'],
    ['9.toString=x', 'node 9 (Empty) has no input "toString"', 'It has no inputs; --force'],
    ['Prompt.text=x', 'several nodes have this title (6, 7)', 'Use the id'],
  ])('%s: %s', (source, message, hint) => {
    expect(() => set([source])).toThrow(
      expect.objectContaining({
        message: expect.stringContaining(message) as string,
        hint: expect.stringContaining(hint) as string,
      }),
    );
  });

  it('adds an input where it is told to, also one with a name that objects have', () => {
    const result = set(['9.__proto__=x', '9.new=1'], true);
    expect(Object.entries(result['9']?.inputs ?? {})).toEqual([
      ['__proto__', 'x'],
      ['new', 1],
    ]);
  });

  it('keeps long integers to the last digit, on the way in and out', () => {
    const text = '{"3":{"inputs":{"seed":18446744073709551615,"cfg":7.5}}}';
    expect(stringifyJson(parseJson(text))).toBe(text);
  });
});
