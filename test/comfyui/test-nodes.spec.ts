import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ComfyStandin } from './index.js';
import { evaluate } from './python-literal.js';
import { parseJson, stringify } from './python.js';
import { eventually, SpecClient } from './spec-client.js';

describe('Python literals', () => {
  it.each([
    ["{'a': [nan, -inf, 1.5, -2]}", { a: [NaN, -Infinity, 1.5, -2] }],
    [
      "{'t': ('x', \"it's\", 'a\\nb'), 'n': None, 'b': True,}",
      { t: ['x', "it's", 'a\nb'], n: null, b: true },
    ],
    ['{}', {}],
  ])('evaluates %s', (source, value) => {
    expect(evaluate(source)).toEqual(value);
  });

  it('refuses what is none', () => {
    expect(() => evaluate("{'a': open('x')}")).toThrow('invalid syntax');
  });
});

describe('JSON of Python', () => {
  it('has bare words for numbers that JSON does not have, and reads them', () => {
    evaluate('nan');
    const value = { a: [NaN, Infinity, -Infinity, 'NaN', '"Infinity'], b: 1 };
    expect(stringify(value)).toBe('{"a":[NaN,Infinity,-Infinity,"NaN","\\"Infinity"],"b":1}');
    expect(parseJson(stringify(value))).toEqual(value);
  });
});

describe('test nodes', () => {
  let comfy: ComfyStandin;
  let client: SpecClient;

  beforeAll(async () => {
    comfy = await ComfyStandin.start({ cacheLru: 50 });
    client = await SpecClient.connect(comfy);
  });

  afterAll(async () => {
    client.close();
    await comfy.stop();
  });

  const image = (color = 1) => ({
    class_type: 'EmptyImage',
    inputs: { width: 8, height: 8, batch_size: 1, color },
  });
  const saved = (from: string, prefix: string) => ({
    class_type: 'SaveImage',
    inputs: { images: [from, 0], filename_prefix: prefix },
  });

  it('shows a string letter by letter, as ComfyUI joins it', async () => {
    const { outputs } = await client.run({
      '5': { class_type: 'TestUI', inputs: { value: "{'text': 'hey'}" } },
    });
    expect(outputs['5']).toEqual({ text: ['h', 'e', 'y'] });
  });

  it('raises any exception', async () => {
    const { status } = await client.run({
      '1': image(),
      '2': { class_type: 'TestRaise', inputs: { image: ['1', 0], exception: 'OSError:28', message: '' } },
      '9': saved('2', 'raised'),
    });
    expect(status.messages.at(-1)?.[1]).toMatchObject({
      exception_type: 'OSError',
      exception_message: '[Errno 28] No space left on device\n',
    });
  });

  it('tells of a blocked node with a message, and goes on (27b, 27c)', async () => {
    const { outputs, status } = await client.run({
      '1': image(),
      '2': {
        class_type: 'TestRaise',
        inputs: { image: ['1', 0], exception: 'ExecutionBlocked', message: 'no' },
      },
      '9': saved('2', 'blocked'),
      '10': saved('1', 'free'),
    });
    expect(status.status_str).toBe('success');
    expect(JSON.stringify(status.messages)).not.toContain('Blocked');
    expect(Object.keys(outputs)).toEqual(['10']);
    const blocked = await eventually(() =>
      client.events.find(({ type, data }) => type === 'execution_error' && data['node_id'] === '9'),
    );
    expect(blocked.data).toMatchObject({
      exception_message: 'Execution Blocked: no',
      exception_type: 'ExecutionBlocked',
      traceback: [],
    });
  });

  it('overwrites a fixed name, and serves an earlier run from the cache', async () => {
    const fixed = (color: number) => ({
      '1': image(color),
      '9': { class_type: 'TestFixedName', inputs: { images: ['1', 0], name: 'fixed.png' } },
    });
    const first = await client.run(fixed(1));
    const bytes = await fileOf('fixed.png');
    await client.run(fixed(2));
    expect(await fileOf('fixed.png')).not.toEqual(bytes);
    expect((await client.run(fixed(1))).outputs).toEqual(first.outputs);
    expect(await fileOf('fixed.png')).not.toEqual(bytes);
  });

  it.each(['raise', 'was'])('makes no folder for a prefix that is a name: %s', async (style) => {
    const inputs = { images: ['1', 0], filename_prefix: 'no/such', style };
    const entry = await client.run({ '1': image(), '9': { class_type: 'TestPrefixAsName', inputs } });
    expect([entry.status.completed, entry.outputs]).toEqual([style === 'was', {}]);
  });

  async function fileOf(filename: string): Promise<Buffer> {
    const response = await fetch(`${comfy.url}/view?filename=${filename}&subfolder=&type=output`);
    return Buffer.from(await response.arrayBuffer());
  }
});
