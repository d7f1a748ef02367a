import { afterEach, describe, expect, it } from 'vitest';
import { Fleet } from './support/backends.js';
import type { Problem, Reply } from './support/gateway.js';
import { salt } from './support/workflows.js';

let fleet: Fleet;
afterEach(() => fleet.stop());
const open = async (options = {}) => {
  fleet = await Fleet.start([options]);
};

const image = (color = Math.floor(Math.random() * 2 ** 24)) => ({
  class_type: 'EmptyImage',
  inputs: { width: 8, height: 8, batch_size: 1, color },
});
const node = (class_type: string, inputs: Record<string, unknown> = {}) => ({ class_type, inputs });
const save = (from: string, filename_prefix = 'f') =>
  node('SaveImage', { images: [from, 0], filename_prefix });
const raising = (from: string) =>
  node('TestRaise', { image: [from, 0], exception: 'RuntimeError', message: 'no /srv/ComfyUI/models/x.pt' });
const problem = (workflow_data: unknown, more = {}): Promise<Problem & { outputs?: Reply['outputs'] }> =>
  fleet.gateway.problem('/api/generate', { workflow_data, ...more });
const generate = (workflow_data: unknown, more = {}) => fleet.gateway.generate({ workflow_data, ...more });
const prompts = () => fleet.at(0).requests.filter(({ route }) => route === 'POST /prompt').length;
const freed = () => fleet.at(0).requests.filter(({ route }) => route === 'POST /free').length;

describe('nodes that overwrite a fixed name', () => {
  const fixed = (color: number) => ({
    '1': image(color),
    '9': node('TestFixedName', { images: ['1', 0], name: 'a.png' }),
  });

  it.each([0, 50])(
    'never hand out the picture of another job: A, B, A with --cache-lru %i',
    async (cacheLru) => {
      await open({ cacheLru });
      for (const color of [11, 22, 11]) {
        const reply = await generate(fixed(color));
        expect([reply.attempts, await fleet.colorOf(reply)]).toEqual([1, color]);
      }
    },
  );

  it('at once: each caller gets their own', async () => {
    await open({ cacheLru: 50 });
    const colors = Array.from({ length: 12 }, (_, index) => index + 1);
    const replies = await Promise.all(colors.map((color) => generate(fixed(color))));
    expect(await Promise.all(replies.map((reply) => fleet.colorOf(reply)))).toEqual(colors);
  });

  it('a file of somebody else is refused, after one more try', async () => {
    await open();
    await generate(fixed(11));
    const file = { filename: 'a.png', subfolder: '', type: 'output' };
    const foreign = { '5': node('TestUI', { value: `{'images': [${JSON.stringify(file)}]}` }) };
    const before = prompts();
    expect(await problem(foreign)).toMatchObject({ status: 502, code: 'output_rejected' });
    expect(prompts() - before).toBe(2);
    expect(fleet.service.backends[0]?.lastFailure).toBeUndefined();
    const beside = {
      ...foreign,
      '5': node('TestUI', { value: `{'images': [${JSON.stringify(file)}], 'text': ['t']}` }),
    };
    const reply = (await generate(beside)) as Reply & { warnings?: unknown };
    expect(reply.outputs).toMatchObject([{ kind: 'text', text: 't' }]);
    expect(reply.warnings).toMatchObject([{ code: 'output_rejected', node_id: '5' }]);
  });
});

describe('one bad file', () => {
  it('costs a warning, and neither the others nor another try', async () => {
    await open();
    const reply = (await generate({
      '1': image(5),
      '9': node('TestMissingFile', { images: ['1', 0], name: 'm.png' }),
    })) as Reply & { warnings?: unknown };
    expect([reply.attempts, reply.outputs.length, await fleet.colorOf(reply)]).toEqual([1, 1, 5]);
    expect(reply.warnings).toEqual([
      { code: 'output_missing', message: 'ComfyUI names a file that is not on its disk.', node_id: '9' },
    ]);
    expect(await problem({ '9': node('TestMissingFile', { name: 'n.png' }) })).toMatchObject({
      status: 422,
      code: 'no_output',
    });
    expect([prompts(), freed()]).toEqual([2, 0]);
  });

  it('an empty one is a file', async () => {
    await open();
    const reply = await generate({
      '1': image(6),
      '9': node('TestEmptyFile', { images: ['1', 0], name: 'e.png' }),
    });
    expect(reply.outputs.map(({ kind, size }) => [kind, size === 0])).toEqual([
      ['image', false],
      ['file', true],
    ]);
    const fetched = await fleet.gateway.fetch(reply.outputs[1]?.url ?? '');
    expect([fetched.status, fetched.bytes.length]).toEqual([200, 0]);
  });

  it('a folder inside its name is none', async () => {
    await open();
    const reply = await generate({
      '1': image(7),
      '9': node('TestPathInFilename', { images: ['1', 0], path: 'sub/x.png' }),
    });
    expect([reply.attempts, await fleet.colorOf(reply)]).toEqual([1, 7]);
  });

  it('a name that a header cannot hold: cleaned where it is ours, refused where it is not', async () => {
    await open();
    for (const prefix of ['a\nb', 'a\rb', 'a\u007fb', 'a\u0000b', 'a..b']) {
      const reply = await generate({ '1': image(8), '9': save('1', prefix) });
      expect([reply.attempts, await fleet.colorOf(reply)]).toEqual([1, 8]);
    }
    const before = prompts();
    const named = { '1': image(), '9': node('TestFixedName', { images: ['1', 0], name: 'a\nb.png' }) };
    expect(await problem(named)).toMatchObject({ status: 422, code: 'no_output' });
    expect(prompts() - before).toBe(1);
    expect(fleet.service.backends[0]?.lastFailure).toBeUndefined();
  });
});

describe('prefixes', () => {
  it('are left alone where the class takes them for a name', async () => {
    await open();
    const reply = await generate({
      '1': image(9),
      '9': node('TestPrefixAsName', { images: ['1', 0], filename_prefix: `p-${salt()}` }),
    });
    expect(await fleet.colorOf(reply)).toBe(9);
  });
});

describe('branches', () => {
  const branches = () => ({ '1': image(12), '9': save('1'), '2': raising('1'), '10': save('2') });

  it('only the one that is wanted runs', async () => {
    await open();
    const reply = await generate(branches(), { output_node_id: 9 });
    expect(await fleet.colorOf(reply)).toBe(12);
    expect(reply.node_errors).toBeUndefined();
  });

  it('one that fails on an old server costs a warning', async () => {
    await open({ legacy: true });
    const reply = (await generate(branches(), { output_node_id: 9 })) as Reply & { warnings?: unknown };
    expect([reply.attempts, await fleet.colorOf(reply)]).toEqual([1, 12]);
    expect(reply.node_errors).toHaveProperty('2');
    expect(reply.warnings).toMatchObject([{ code: 'branch_failed' }]);
    expect(JSON.stringify(reply)).not.toContain('/srv');
  });

  it('where none is named the job fails, and keeps what was made', async () => {
    await open();
    const failed = await problem(branches());
    expect(failed).toMatchObject({ status: 502, code: 'node_execution_error', outputs: [{ kind: 'image' }] });
    const [kept] = failed.outputs ?? [];
    expect((await fleet.gateway.fetch(kept?.url ?? '')).status).toBe(200);
    const again = await fetch(`${fleet.gateway.url}/api/v2/jobs/${failed.job_id}`);
    expect(await again.json()).toMatchObject({ status: 'failed', outputs: [{ node_id: '9' }] });
  });

  it('a node that makes nothing by its class is refused before anything runs', async () => {
    await open();
    const refused = await problem(branches(), { output_node_id: 1 });
    expect(refused).toMatchObject({ status: 422, code: 'no_output' });
    expect(refused.detail).toContain('9 (SaveImage)');
    expect(prompts()).toBe(0);
  });
});

describe('what nodes show', () => {
  const texts = async (value: string) =>
    (await generate({ '5': node('TestUI', { value }) })).outputs.map(({ text }) => text);

  it('is one text where it is one', async () => {
    await open();
    expect(await texts("{'text': 'hello world'}")).toEqual(['hello world']);
    expect(await texts("{'a': [nan, [1, [2]], {'k': inf}, None, True]}")).toEqual([
      'NaN',
      '[1,[2]]',
      '{"k":Infinity}',
      'true',
    ]);
    expect(await texts("{'text': ['see /srv/ComfyUI/output/a.png']}")).toEqual(['see …/a.png']);
  });

  it('is the model of a 3D node, not its name', async () => {
    await open();
    for (const form of ['path', 'path+camera', 'path+camera+background']) {
      const made = await generate({ '5': node('TestResult3D', { path: `sub/${salt()}.glb`, form }) });
      expect(made.outputs.map(({ filename }) => filename.replace(/^.*\./, ''))).toEqual(['glb']);
    }
  });

  it('holds no path of another machine', async () => {
    await open();
    const made = await generate({ '5': node('TestSaveText', { text: 'hi', name: `${salt()}.txt` }) });
    expect(JSON.stringify(made)).not.toMatch(/\/tmp\/|"\/[a-z]+\/[a-z]+\/[a-z]+\.txt/);
  });
});
