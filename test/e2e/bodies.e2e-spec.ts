import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from './support/backends.js';
import { picture } from './support/workflows.js';

/** `一只可爱的猫，坐在窗台上` in GBK. */
const GBK = Buffer.from('d2bbd6bbbfc9b0aeb5c4c3a8a3acd7f8d4dab4b0cca8c9cf', 'hex');
/** `一只猫`, whose bytes are valid UTF-8 as well. */
const GBK_THAT_IS_UTF8 = Buffer.from('d2bbd6bbc3a8', 'hex');

let fleet: Fleet;
let state: string;
beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'state-'));
  fleet = await Fleet.open([{}], {
    env: { STATE_DIR: state, BASE64_MAX_MB: '1' },
    comfy: { deleteHistory: false, noBackendAfterMs: 10_000 },
  });
});
afterAll(async () => {
  await fleet.stop();
  await rm(state, { recursive: true, force: true });
});

const post = (path: string, body: Buffer | string, type = 'application/json', headers = {}) =>
  fetch(`${fleet.gateway.url}${path}`, {
    method: 'POST',
    body: typeof body === 'string' ? body : new Uint8Array(body),
    headers: { 'content-type': type, ...headers },
  });
const saying = (text: string) => ({
  ...picture(),
  '5': { class_type: 'ProbeShowText', inputs: { text } },
});
/** A workflow with these bytes in a text. */
const bytesOf = (field: string, text: Buffer, rest = '') => {
  const [before = '', after = ''] = JSON.stringify(saying('HERE')).split('HERE');
  return Buffer.concat([Buffer.from(`{"${field}":${before}`), text, Buffer.from(`${after}${rest}}`)]);
};
const prompts = () =>
  fleet
    .at(0)
    .requests.filter(({ route }) => route === 'POST /prompt')
    .map(({ body }) => body as { prompt: object; extra_data: Record<string, unknown> });
const lastPrompt = () => prompts().at(-1) ?? expect.fail('there was none');

describe('a body that is not UTF-8', () => {
  const cases: [string, Buffer][] = [
    ['GBK', GBK],
    ['GBK that is valid UTF-8', GBK_THAT_IS_UTF8],
    ['Latin-1', Buffer.from('caf\u00e9', 'latin1')],
  ];
  it.each(
    cases.flatMap(([what, text]): [string, string, string, Buffer][] => [
      [what, '/api/generate', 'application/json', bytesOf('workflow_data', text)],
      [what, '/api/generate_file', 'application/json', bytesOf('workflow_data', text)],
      [what, '/api/v2/jobs', 'application/json; charset=utf-8', bytesOf('workflow', text)],
      [what, '/api/generate', 'multipart/form-data; boundary=x', asField(text)],
      [
        what,
        '/api/generate',
        'multipart/form-data; boundary=x',
        asField(text, 'Content-Type: application/json'),
      ],
      [what, '/api/generate', 'multipart/form-data; boundary=x', asField(text, '', '; filename="w.json"')],
    ]),
  )('%s at %s as %s is refused, and says what to do', async (_, path, type, body) => {
    const before = prompts().length;
    const response = await post(path, body, type);
    const text = await response.text();
    expect([response.status, text]).toEqual([
      path.includes('v2') ? 422 : 400,
      expect.stringMatching(/not UTF-8.*--data-binary.*PowerShell/),
    ]);
    expect(prompts()).toHaveLength(before);
  });

  it.each([
    ['UTF-16', Buffer.from(JSON.stringify({ workflow_data: saying('猫') }), 'utf16le')],
    ['UTF-16 with its mark', Buffer.from(`\uFEFF${JSON.stringify({ workflow_data: picture() })}`, 'utf16le')],
  ])('as %s is', async (_, body) => {
    const response = await post('/api/generate', body);
    expect([response.status, await response.text()]).toEqual([400, expect.stringContaining('not UTF-8')]);
  });

  it('is read where it says what it is', async () => {
    const response = await post(
      '/api/generate',
      bytesOf('workflow_data', GBK),
      'application/json; charset=gbk',
    );
    expect(response.status).toBe(200);
    expect(JSON.stringify(lastPrompt().prompt)).toContain('一只可爱的猫，坐在窗台上');
  });

  it('is not what holds the character for such bytes itself, or half a pair in an escape', async () => {
    const text = 'a\uFFFDb';
    for (const [body, type] of [
      [bytesOf('workflow_data', Buffer.from(text)), 'application/json'],
      [asField(Buffer.from(text)), 'multipart/form-data; boundary=x'],
    ] as const) {
      expect((await post('/api/generate', body, type)).status).toBe(200);
      expect(JSON.stringify(lastPrompt().prompt)).toContain(text);
    }
    const half = bytesOf('workflow_data', Buffer.from('\\ud83d'));
    expect((await post('/api/generate', half)).status).toBe(200);
    expect(JSON.stringify(lastPrompt().prompt)).toContain('\\ud83d');
  });

  function asField(text: Buffer, header = '', name = ''): Buffer {
    const workflow = bytesOf('w', text).subarray('{"w":'.length, -1);
    return Buffer.concat([
      Buffer.from(`--x\r\nContent-Disposition: form-data; name="workflow_data"${name}\r\n`),
      Buffer.from(header === '' ? '\r\n' : `${header}\r\n\r\n`),
      workflow,
      Buffer.from('\r\n--x--\r\n'),
    ]);
  }
});

describe('JSON with a mistake', () => {
  it('is told by line and column, and not repeated', async () => {
    const workflow = JSON.stringify(picture(), null, 2);
    const broken = workflow.replace('"width": 64,', '"width": 64');
    const body = `{\n"workflow_data": ${broken}}`;
    const problem = await fleet.gateway.problem('/api/generate', body);
    expect(problem).toMatchObject({ status: 400, code: 'invalid_request' });
    expect(problem.detail).toBe('The body is not valid JSON: line 7, column 7: expected a comma or }.');
    const inner = await fleet.gateway.problem('/api/generate', { workflow_data: broken });
    expect(inner.detail).toBe(
      'workflow_data: it is not valid JSON: line 6, column 7: expected a comma or }.',
    );
    const contract = await fleet.gateway.post('/api/v2/jobs', { workflow: broken });
    expect(await contract.text()).toContain('line 6, column 7');
  });
});

describe('a workflow as tools send it', () => {
  const page = { nodes: [{ id: 1 }], links: [], version: 0.4 };
  const workflow = picture;
  it.each<[string, () => unknown]>([
    ['a text of it', () => ({ workflow_data: JSON.stringify(workflow()) })],
    ['a text of a text of it', () => ({ workflow_data: JSON.stringify(JSON.stringify(workflow())) })],
    ['a text with a mark and space', () => ({ workflow_data: `\uFEFF  ${JSON.stringify(workflow())}\r\n` })],
    ['what the page exports for the API', () => ({ workflow_data: { output: workflow(), workflow: page } })],
    ['a text of that', () => ({ workflow_data: JSON.stringify({ output: workflow(), workflow: page }) })],
    [
      'a request to ComfyUI',
      () => ({ workflow_data: { prompt: workflow(), client_id: 'x', extra_data: {} } }),
    ],
    [
      'one as the body',
      () => ({ prompt: workflow(), client_id: 'x', extra_data: { preview_method: 'auto' } }),
    ],
    ['one as the body, of the page', () => ({ prompt: { output: workflow(), workflow: page }, front: true })],
    ['the page’s export as the body', () => ({ output: workflow(), workflow: page, output_node_id: '277' })],
    ['the workflow as the body', () => workflow()],
    [
      'numbers and booleans as texts',
      () => ({
        workflow_data: workflow(),
        output_node_id: ' 277 ',
        output_index: '0',
        priority: '-3',
        include_temp: 'True',
        convert: '{"format":"jpeg","quality":"80","strip_metadata":"false"}',
        extra_data: '{}',
      }),
    ],
  ])('%s is taken', async (_, body) => {
    const reply = await fleet.gateway.generate(body() as Record<string, unknown>);
    expect(reply.outputs.map(({ node_id }) => node_id)).toEqual(['277']);
  });

  it('as a text and in a wrapper is taken by Comfy API v2, and in a form', async () => {
    for (const given of [
      JSON.stringify(workflow()),
      { prompt: workflow() },
      { output: workflow(), workflow: page },
    ]) {
      expect((await fleet.gateway.post('/api/v2/jobs', { workflow: given })).status).toBe(201);
    }
    for (const given of [`\uFEFF${JSON.stringify(workflow())}`, JSON.stringify({ output: workflow() })]) {
      const form = new FormData();
      form.append('workflow_data', given);
      form.append('output_node_id', '\uFEFF277');
      form.append('include_temp', 'True');
      const response = await fetch(`${fleet.gateway.url}/api/generate`, { method: 'POST', body: form });
      expect(response.status).toBe(200);
    }
  });

  it('is no wrapper where a node has such a name', async () => {
    const { '1': source, '277': save } = workflow();
    const named = { prompt: source, output: { ...save, inputs: { ...save?.inputs, images: ['prompt', 0] } } };
    expect((await fleet.gateway.generate({ workflow_data: named })).outputs[0]?.node_id).toBe('output');
    expect((await fleet.gateway.generate(named)).outputs[0]?.node_id).toBe('output');
  });

  it.each([
    [{ workflow_data: '' }, 'workflow_data'],
    [{ workflow_data: 'a cat' }, 'workflow_data: it is not valid JSON: line 1, column 1'],
    [{ workflow_data: picture(), priority: 'high' }, 'priority'],
    [{ workflow_data: picture(), include_temp: 'maybe' }, 'include_temp'],
    [{ prompt: picture(), nonsense: 1 }, 'nonsense'],
    [{ workflow_data: picture(), extra_data: { token: 'x' } }, 'extra_data.token'],
    [{ workflow_data: picture(), extra_data: { extra_pnginfo: 'x' } }, 'extra_data.extra_pnginfo'],
  ])('%# is refused', async (body, detail) => {
    const problem = await fleet.gateway.problem('/api/generate', body);
    expect([problem.status, problem.detail]).toEqual([400, expect.stringContaining(detail)]);
  });
});

describe('bytes within JSON', () => {
  it('come with the rest of the reply', async () => {
    const response = await post(
      '/api/generate',
      JSON.stringify({ workflow_data: picture(), response_type: 'base64' }),
    );
    const reply = (await response.json()) as {
      url: string;
      base64: string;
      content_type: string;
      job_id: string;
    };
    const { bytes } = await fleet.gateway.fetch(reply.url);
    expect(Buffer.from(reply.base64, 'base64').equals(bytes)).toBe(true);
    expect(reply.content_type).toBe('image/png');
    const later = await fleet.gateway.fetch(`/api/generate/${reply.job_id}?response_type=base64`);
    expect(JSON.parse(later.bytes.toString())).toMatchObject({ base64: reply.base64 });
  });

  it('are bounded', async () => {
    // A megabyte and more, which no PNG of one colour is.
    const size = 1024 * 1024 + 1;
    const workflow = {
      '277': { class_type: 'ProbeBytes', inputs: { size, extension: 'png', filename_prefix: 'big' } },
    };
    const problem = await fleet.gateway.problem('/api/generate', {
      workflow_data: workflow,
      response_type: 'base64',
    });
    expect(problem).toMatchObject({ status: 422, code: 'result_too_large' });
    expect((await fleet.gateway.fetch(/from (\S+)\.$/.exec(problem.detail)?.[1] ?? '')).bytes).toHaveLength(
      size,
    );
  });
});

describe('extra_data', () => {
  it('is passed on, and its keys are kept nowhere', async () => {
    const keys = { api_key_comfy_org: 'secret-key-1', auth_token_comfy_org: 'secret-token-2' };
    const extra_pnginfo = { workflow: { nodes: [], seed: 9_007_199_254_740_993n } };
    const body = JSON.stringify(
      {
        workflow_data: picture(),
        extra_data: { ...keys, extra_pnginfo },
      },
      (_, value: unknown) => (typeof value === 'bigint' ? 'BIG' : value),
    ).replace('"BIG"', '9007199254740993');
    expect((await post('/api/generate', body)).status).toBe(200);
    const sent = fleet
      .at(0)
      .requests.filter(({ route }) => route === 'POST /prompt')
      .at(-1);
    expect(sent?.text).toContain('"extra_pnginfo":{"workflow":{"nodes":[],"seed":9007199254740993}}');
    expect(lastPrompt().extra_data).toMatchObject(keys);
    const database = await readFile(join(state, 'state.sqlite'), 'latin1');
    expect(database).not.toMatch(/secret-(key|token)/);
    const wrapped = await fleet.gateway.post('/api/v2/jobs', {
      workflow: { prompt: picture({ color: 77 }), extra_data: { extra_pnginfo: { a: 1 }, create_time: 3 } },
    });
    expect(wrapped.status).toBe(201);
    await expect.poll(() => lastPrompt().extra_data['extra_pnginfo']).toEqual({ a: 1 });
    expect(lastPrompt().extra_data).not.toHaveProperty('create_time');
  });
});
