import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ComfyStandin } from './index.js';
import { eventually, simple, slow, SpecClient } from './spec-client.js';

describe('a server after 0.8.0', () => {
  let comfy: ComfyStandin;
  let client: SpecClient;

  beforeAll(async () => {
    comfy = await ComfyStandin.start({ version: '0.8.0', newer: true });
    client = await SpecClient.connect(comfy);
  });

  afterAll(async () => {
    client.close();
    await comfy.stop();
  });

  const post = async (path: string, body: object) => {
    const response = await fetch(`${comfy.url}${path}`, { method: 'POST', body: JSON.stringify(body) });
    return [response.status, await response.json()] as [number, Record<string, unknown>];
  };

  it('cancels a running and a waiting prompt, and knows nothing of others', async () => {
    const running = await client.submit(slow(2_000, 5));
    const waiting = await client.submit(slow(2_000, 5));
    await eventually(() => comfy.queue.running.includes(running));
    for (const [id, cancelled] of [
      [waiting, true],
      ['none', false],
      [running, true],
    ] as const) {
      expect(await post(`/api/jobs/${id}/cancel`, {})).toEqual([200, { cancelled }]);
    }
    await eventually(() => comfy.history.has(running));
    const job = await fetch(`${comfy.url}/api/jobs/${running}`);
    expect(await job.json()).toMatchObject({ id: running, status: 'cancelled' });
    expect(comfy.queue.pending).toEqual([]);
  });

  it('takes canonical prompt ids only', async () => {
    const id = '0F0E0D0C-0B0A-4009-8807-060504030201';
    const [status, body] = await post('/prompt', { prompt: simple(), prompt_id: id });
    expect([status, body['error']]).toMatchObject([400, { type: 'invalid_prompt_id' }]);
    expect((await post('/prompt', { prompt: simple(), prompt_id: id.toLowerCase() }))[0]).toBe(200);
  });

  it('names a class that it does not have', async () => {
    const [status, body] = await post('/prompt', {
      prompt: { '7': { class_type: 'NoSuchNode', inputs: {}, _meta: { title: 'My node' } } },
    });
    const extra_info = { node_id: '7', class_type: 'NoSuchNode', node_title: 'My node' };
    expect([status, body['error']]).toMatchObject([400, { type: 'missing_node_type', extra_info }]);
  });

  it('refuses what a browser says comes from another site', async () => {
    const { status } = await fetch(`${comfy.url}/queue`, { headers: { 'Sec-Fetch-Site': 'cross-site' } });
    expect(status).toBe(403);
  });

  it('says more of each file', async () => {
    const { outputs } = await client.run(simple(9));
    expect(outputs['9']?.['images']).toMatchObject([
      {
        filename: 'gw_00002_.png',
        metadata: { kind: 'image', width: 64, height: 64 },
        id: expect.stringMatching(/^[\da-f-]{36}$/),
      },
    ]);
  });
});
