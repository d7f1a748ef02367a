import { describe, expect, it } from 'vitest';
import { ComfyError } from '../comfy.error.js';
import { inJobFolder, jobFolder } from './job-folder.js';
import { parseJson, stringifyJson } from './lossless-json.js';
import { chooseOutputNode, findOutputNode, type OutputPlace } from './output-node.js';
import { linkOf, parseWorkflow } from './workflow.js';

const errorOf = (work: () => unknown): ComfyError => {
  try {
    work();
  } catch (error) {
    if (error instanceof ComfyError) return error;
  }
  return expect.fail('it should have failed');
};

describe('parseWorkflow', () => {
  it.each([null, 3, 'x', [], {}, { prompt: { '1': {} } }])('refuses %j', (value) => {
    expect(errorOf(() => parseWorkflow(value)).code).toBe('invalid_workflow');
  });

  it('tells how to export when it gets the page’s own format', () => {
    const error = errorOf(() => parseWorkflow({ nodes: [], links: [], version: 0.4 }));
    expect(error.code).toBe('workflow_format_ui');
    expect(error.message).toContain('Export (API)');
  });

  it('names every node that is broken', () => {
    const error = errorOf(() =>
      parseWorkflow({
        a: { inputs: {} },
        b: null,
        c: { class_type: 'X', inputs: [] },
        d: { class_type: 'Y' },
      }),
    );
    expect(Object.keys(error.nodeErrors ?? {})).toEqual(['a', 'b', 'c']);
  });

  it('takes the workflow out of what the page has around it', () => {
    const workflow = { '1': { class_type: 'A' } };
    const page = { nodes: [], links: [] };
    for (const wrapper of [
      { prompt: workflow, client_id: 'x' },
      { output: workflow, workflow: page },
      { prompt: { output: workflow, workflow: page } },
    ]) {
      expect(parseWorkflow(wrapper)).toBe(workflow);
    }
    const named = { prompt: { class_type: 'A' }, output: { class_type: 'B' } };
    expect(parseWorkflow(named)).toBe(named);
  });

  it('takes ids that are not numbers', () => {
    expect(Object.keys(parseWorkflow({ '57:8': { class_type: 'A', inputs: {} } }))).toEqual(['57:8']);
  });
});

describe('output nodes', () => {
  const workflow = {
    '1': { class_type: 'PreviewImage' },
    '2': { class_type: 'SaveImage' },
    '3': { class_type: 'SaveImage' },
  };
  const choose = (places: Record<string, OutputPlace[]>) =>
    chooseOutputNode(workflow, new Map(Object.entries(places)));

  it('finds a node by number or string', () => {
    expect(findOutputNode(workflow, 2)).toBe('2');
    expect(errorOf(() => findOutputNode(workflow, 'toString')).code).toBe('output_node_not_found');
    expect(errorOf(() => findOutputNode(workflow, 9)).message).toContain('1, 2, 3');
  });

  it('chooses the only one, else the first that saves, else the first', () => {
    expect(choose({ '1': ['temp'] })).toBe('1');
    expect(choose({ '1': ['temp'], '3': ['output'], '2': ['output'] })).toBe('2');
    expect(choose({ '1': ['temp'], '3': ['memory'] })).toBe('3');
    expect(choose({ '1': ['temp'], '2': ['temp'] })).toBe('1');
    expect(choose({})).toBeUndefined();
  });
});

describe('inJobFolder', () => {
  it('changes literal prefixes and nothing else', () => {
    const workflow = {
      '1': { class_type: 'SaveImage', inputs: { filename_prefix: '/a/b', images: ['2', 0] } },
      '2': { class_type: 'X', inputs: { filename_prefix: ['3', 0] } },
    };
    const before = structuredClone(workflow);
    expect(inJobFolder(workflow, 'f/j')).toEqual({
      '1': { class_type: 'SaveImage', inputs: { filename_prefix: 'f/j/a/b', images: ['2', 0] } },
      '2': workflow['2'],
    });
    expect(workflow).toEqual(before);
  });

  it('spreads jobs over days and 256 folders', () => {
    const id = '0b6f7a1e-0000-4000-8000-0000000000ab';
    const now = new Date('2026-11-23T23:59:59Z');
    expect(jobFolder(id, 1, now)).toBe(`sync/20261123/ab/${id}`);
    expect(jobFolder(id, 3, now)).toBe(`sync/20261123/ab/${id}-3`);
  });
});

describe('linkOf', () => {
  it('knows a link from a literal list', () => {
    expect(linkOf(['4', 1])).toEqual({ node: '4', output: 1 });
    for (const literal of [['a', 'b'], [1, 2], ['4', 1, 2], '4', null, undefined])
      expect(linkOf(literal)).toBeUndefined();
  });
});

describe('long integers', () => {
  it('survive, as seeds must', () => {
    const text = '{"seed":18446744073709551615,"cfg":7.5,"text":"12345678901234567890","small":-3}';
    expect(stringifyJson(parseJson(text))).toBe(text);
    expect(parseJson('{"a":9007199254740993}')).toEqual({ a: 9007199254740993n });
  });

  it('cost nothing where there are none', () => {
    expect(parseJson('{"seed":123456789012345,"f":1e400}')).toEqual({ seed: 123456789012345, f: Infinity });
    expect(() => parseJson('{"a":')).toThrow(SyntaxError);
  });
});
