import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ComfyStandin } from '../comfyui/index.js';
import { Gateway, type Reply } from './support/gateway.js';
import { textToImage } from './support/workflows.js';

/** 2^64 − 1 is the largest seed of a KSampler; doubles are exact up to 2^53 only. */
const SEEDS = [
  '18446744073709551615',
  '9007199254740993',
  '9007199254740992',
  '9223372036854775808',
  '0',
  '42',
];

describe.each([
  { generation: '0.3.64', legacy: false },
  { generation: '0.3.11', legacy: true },
])('a seed on its way to ComfyUI $generation', ({ legacy }) => {
  let comfy: ComfyStandin;
  let gateway: Gateway;

  beforeAll(async () => {
    comfy = await ComfyStandin.start({ legacy, checkpoints: ['random-sd15.safetensors'] });
    gateway = await Gateway.start(comfy.url);
  });
  afterAll(async () => {
    await gateway.stop();
    await comfy.stop();
  });

  /** A body as a client with exact integers writes it (Python, Java, Go). */
  const bodyOf = (seed: string) =>
    JSON.stringify({ workflow_data: textToImage('a lighthouse', -1), output_node_id: '9' }).replace(
      '"seed":-1',
      `"seed":${seed}`,
    );
  const lastPrompt = () => comfy.requests.findLast(({ route }) => route === 'POST /prompt');

  it.each(SEEDS)('%s arrives digit for digit', async (seed) => {
    const response = await gateway.post('/api/generate', bodyOf(seed));
    expect(response.status).toBe(200);
    const { outputs } = (await response.json()) as Reply;
    expect(outputs).toHaveLength(1);
    expect(lastPrompt()?.text).toMatch(new RegExp(String.raw`"seed":\s*${seed}[,}]`));
  });

  it('leaves the rest of the workflow as it was', async () => {
    const spaced = bodyOf('18446744073709551615')
      .replace('"cfg":7', '"cfg" : 7.25')
      .replace('"a lighthouse"', '"12345678901234567890 \\u4f60 \\" [1234567890123456789]"');
    expect((await gateway.post('/api/generate', spaced)).status).toBe(200);
    const body = lastPrompt()?.body ?? expect.fail('nothing came');
    const { prompt } = body as { prompt: ReturnType<typeof textToImage> };
    const expected = textToImage('12345678901234567890 你 " [1234567890123456789]', 2 ** 64);
    Object.assign(expected['3']?.inputs ?? {}, { cfg: 7.25 });
    delete expected['9']?.inputs['filename_prefix'];
    delete prompt['9']?.inputs['filename_prefix'];
    expect(prompt).toEqual(expected);
  });

  it('and so do the bytes of /api/generate_file', async () => {
    const response = await gateway.post('/api/generate_file', bodyOf('9007199254740993'));
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'image/png']);
    expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(1_000);
    expect(lastPrompt()?.text).toContain('"seed":9007199254740993,');
  });

  it('is refused by ComfyUI where it is too large, and told so', async () => {
    const problem = await gateway.problem('/api/generate', bodyOf('36893488147419103232'));
    expect(problem).toMatchObject({ status: 422, code: 'invalid_workflow' });
    expect(problem.node_errors?.['3']?.errors[0]).toMatchObject({
      type: 'value_bigger_than_max',
      input: 'seed',
    });
    expect(lastPrompt()?.text).toContain('36893488147419103232');
  });
});
