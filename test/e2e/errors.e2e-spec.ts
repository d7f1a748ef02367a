import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ComfyStandin } from '../comfyui/index.js';
import { Gateway, readProblem } from './support/gateway.js';
import { failing, picture, slow } from './support/workflows.js';

/** Every row of docs/errors.md that a caller can meet here; what files and storage answer is in specs of their own. */
describe('errors', () => {
  let comfy: ComfyStandin;
  let gateway: Gateway;

  beforeAll(async () => {
    comfy = await ComfyStandin.start();
    gateway = await Gateway.start(comfy.url, { env: { MAX_BODY_MB: '1' } });
  });
  afterEach(() => comfy.faults.clear());
  afterAll(async () => {
    await gateway.stop();
    await comfy.stop();
  });

  const generate = (body: unknown) => gateway.problem('/api/generate', body);
  const leaks = /\/srv\/|\/work\/|\/tmp\/|traceback|node_modules|127\.0\.0\.1|\.ts:\d/i;

  describe('400 invalid_request', () => {
    it.each([
      ['no workflow', { output_node_id: 1 }, 'workflow_data'],
      ['a workflow that is a list', { workflow_data: [] }, 'workflow_data'],
      ['a workflow that is text, and no JSON', { workflow_data: 'x' }, 'workflow_data'],
      ['a workflow that is the text of a list', { workflow_data: '[]' }, 'workflow_data'],
      ['a node id that is an object', { workflow_data: picture(), output_node_id: {} }, 'output_node_id'],
      ['a node id that is a fraction', { workflow_data: picture(), output_node_id: 1.5 }, 'output_node_id'],
      ['a node id without letters', { workflow_data: picture(), output_node_id: '' }, 'output_node_id'],
      ['an unknown response_type', { workflow_data: picture(), response_type: 'hex' }, 'response_type'],
      ['a negative output_index', { workflow_data: picture(), output_index: -1 }, 'output_index'],
      ['a misspelt field', { workflow_data: picture(), output_node: 277 }, 'output_node'],
    ])('for %s', async (_, body, field) => {
      const problem = await generate(body);
      expect(problem).toMatchObject({ status: 400, code: 'invalid_request' });
      expect(problem.errors?.map((error) => error.field)).toEqual([field]);
      expect(problem.detail).toContain(field);
    });

    it('names every field that is wrong', async () => {
      const problem = await generate({ output_node_id: [], response_type: 1, nonsense: 1 });
      expect(problem.errors?.map(({ field }) => field).sort()).toEqual([
        'nonsense',
        'output_node_id',
        'response_type',
        'workflow_data',
      ]);
    });

    it.each(['', '{', 'null', '[]', '"x"', '3', '{"workflow_data":}'])('for the body %j', async (body) => {
      expect(await generate(body)).toMatchObject({ status: 400, code: 'invalid_request' });
    });

    it('for a body that nests too deep', async () => {
      const body = `{"workflow_data":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
      expect(await generate(body)).toMatchObject({ status: 400, code: 'invalid_request' });
    });

    it.each(['constructor', '__proto__', 'toString', 'then'])(
      'or 422, never worse, for a key %s',
      async (key) => {
        const body = `{"workflow_data":{"1":{"class_type":"EmptyImage","inputs":{"${key}":{"x":1}}},"${key}":{"x":1}},"output_node_id":"1"}`;
        expect((await generate(body)).status).toBe(422);
        const top = `{"workflow_data":{"1":{"class_type":"EmptyImage"}},"${key}":{"x":1}}`;
        expect((await generate(top)).status).toBe(400);
      },
    );
  });

  it('404 not_found for another address, 404 for another method', async () => {
    expect(await readProblem(await fetch(`${gateway.url}/api/nothing`))).toMatchObject({ code: 'not_found' });
    expect((await readProblem(await fetch(`${gateway.url}/api/generate_file`))).status).toBe(404);
  });

  it('404 not_found for a job that nobody knows', async () => {
    for (const id of ['7c9e6679-7425-40de-944b-e07fc1f90ae7', 'not-an-id', '..%2f..%2fetc']) {
      expect(await readProblem(await fetch(`${gateway.url}/api/generate/${id}`))).toMatchObject({
        status: 404,
        code: 'not_found',
      });
    }
  });

  it('413 payload_too_large', async () => {
    const body = { workflow_data: { '1': { class_type: 'A', inputs: { text: 'x'.repeat(1_100_000) } } } };
    expect(await generate(body)).toMatchObject({ status: 413, code: 'payload_too_large' });
  });

  it.each(['application/x-www-form-urlencoded', 'text/plain', 'multipart/mixed; boundary=x'])(
    '415 unsupported_media_type for %s',
    async (type) => {
      const response = await gateway.post('/api/generate', JSON.stringify({ workflow_data: picture() }), {
        headers: { 'content-type': type },
      });
      expect(await readProblem(response)).toMatchObject({ status: 415, code: 'unsupported_media_type' });
    },
  );

  it('422 output_node_not_found, naming nodes that could be meant, before anything runs', async () => {
    const before = comfy.requests.length;
    const problem = await generate({ workflow_data: picture(), output_node_id: 9 });
    expect(problem).toMatchObject({ status: 422, code: 'output_node_not_found' });
    expect(problem.detail).toContain('277');
    expect(comfy.requests.length).toBe(before);
  });

  it('422 no_output for a node that makes nothing', async () => {
    expect(await generate({ workflow_data: picture(), output_node_id: 1 })).toMatchObject({
      status: 422,
      code: 'no_output',
    });
    const nothing = {
      '277': { class_type: 'ProbeLists', inputs: { lists: '{"text":[]}', filename_prefix: 'x' } },
    };
    expect(await generate({ workflow_data: nothing })).toMatchObject({ status: 422, code: 'no_output' });
  });

  it('422 no_output for an index that is not there', async () => {
    const problem = await generate({ workflow_data: picture(), output_node_id: 277, output_index: 5 });
    expect(problem).toMatchObject({ status: 422, code: 'no_output' });
    expect(problem.detail).toContain('output_index 5');
  });

  it('422 invalid_workflow for a wanted branch that is skipped; a skipped other branch is told in the reply', async () => {
    const workflow = {
      ...picture(),
      '300': { class_type: 'SaveImage', inputs: { images: ['99', 0], filename_prefix: 'x' } },
    };
    const problem = await generate({ workflow_data: workflow, output_node_id: 300 });
    expect(problem).toMatchObject({ status: 422, code: 'invalid_workflow' });
    expect(problem.node_errors).toHaveProperty('300');
    expect(JSON.stringify(problem)).not.toMatch(leaks);
    const reply = await gateway.generate({ workflow_data: workflow });
    expect(reply.node_errors).toHaveProperty('300');
    expect(JSON.stringify(reply)).not.toMatch(leaks);
  });

  it('422 invalid_workflow for a workflow without nodes, also as a text of JSON', async () => {
    const problem = await generate({ workflow_data: {} });
    expect(problem).toMatchObject({ status: 422, code: 'invalid_workflow' });
    expect(await generate({ workflow_data: '{}' })).toEqual(problem);
  });

  it('422 invalid_workflow where ComfyUI breaks over it', async () => {
    comfy.faults.failNext('POST /prompt', 500, '500 Internal Server Error\n\nServer got itself in trouble');
    const problem = await generate({ workflow_data: picture(), output_node_id: 277 });
    expect(problem).toMatchObject({ status: 422, code: 'invalid_workflow' });
    expect(JSON.stringify(problem)).not.toMatch(leaks);
  });

  it('502 node_execution_error with the node and the reason, without the traceback', async () => {
    const problem = await generate({ workflow_data: failing('ValueError'), output_node_id: 277 });
    expect(problem).toMatchObject({ status: 502, code: 'node_execution_error' });
    expect(problem.detail).toContain('tensor size mismatch');
    expect(problem.node_errors?.['2']).toMatchObject({ class_type: 'ProbeRaise' });
    expect(problem.job_id).toMatch(/^[0-9a-f-]{36}$/);
    expect(JSON.stringify(problem)).not.toMatch(leaks);
  });

  it('502 out_of_memory', async () => {
    const problem = await generate({ workflow_data: failing('OOM'), output_node_id: 277 });
    expect(problem).toMatchObject({ status: 502, code: 'out_of_memory' });
  });

  it('502 interrupted when somebody stops it in ComfyUI', async () => {
    const pending = generate({ workflow_data: slow({ steps: 200 }), output_node_id: 277 });
    await expect.poll(() => comfy.queue.running.length).toBe(1);
    await fetch(`${comfy.url}/interrupt`, { method: 'POST' });
    expect(await pending).toMatchObject({ status: 502, code: 'interrupted' });
  });

  it('a body that stops half way leaves nothing behind', async () => {
    await new Promise<void>((resolve) => {
      const half = request(`${gateway.url}/api/generate`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': '1000' },
      });
      half.on('error', () => resolve());
      half.write('{"workflow_data":');
      setTimeout(() => half.destroy(), 50);
    });
    expect(await gateway.fetch('/health/live').then(({ status }) => status)).toBe(200);
  });
});

describe('errors of a gateway that tries only once', () => {
  let comfy: ComfyStandin;
  let gateway: Gateway;

  beforeAll(async () => {
    comfy = await ComfyStandin.start();
    gateway = await Gateway.start(comfy.url, {
      env: { MAX_ATTEMPTS: '1' },
      // Faults come thick and fast here.
      comfy: {
        circuit: { faultsToCheck: 100, minRestMs: 100, maxRestMs: 100, checkPauseMs: 10, probeBytes: 65_536 },
      },
    });
  });
  afterEach(() => comfy.faults.clear());
  afterAll(async () => {
    await gateway.stop();
    await comfy.stop();
  });

  const generate = (body: unknown) => gateway.problem('/api/generate', body);

  it('502 backend_lost when ComfyUI forgets it', async () => {
    const pending = generate({ workflow_data: slow({ steps: 500 }), output_node_id: 277 });
    await expect.poll(() => comfy.queue.running.length).toBe(1);
    comfy.faults.forgetAll();
    expect(await pending).toMatchObject({ status: 502, code: 'backend_lost' });
  });

  it('422 no_output when its file is gone, 502 output_rejected when it never comes', async () => {
    comfy.faults.failNext('GET /view', 404);
    const gone = await generate({ workflow_data: picture(), output_node_id: 277 });
    expect(gone).toMatchObject({ code: 'no_output', detail: expect.stringContaining('not on its disk') });
    comfy.faults.hangNext('GET /view', 9);
    expect(await generate({ workflow_data: picture(), output_node_id: 277 })).toMatchObject({
      code: 'output_rejected',
    });
    expect(await gateway.fetch('/health/ready').then(({ status }) => status)).toBe(200);
  });

  it('503 no_backend with Retry-After where ComfyUI does not take it', async () => {
    comfy.faults.failNext('POST /prompt', 502, '<html>nginx at 10.0.0.3</html>');
    const response = await gateway.post('/api/generate', { workflow_data: picture(), output_node_id: 277 });
    expect(response.headers.get('retry-after')).toBe('15');
    const problem = await readProblem(response);
    expect(problem).toMatchObject({ status: 503, code: 'no_backend', retry_after: 15 });
    expect(JSON.stringify(problem)).not.toMatch(/nginx|10\.0\.0\.3/);
  });
});

describe('errors of a gateway with tight limits', () => {
  it('503 no_backend when none can be reached, and ready says so', async () => {
    const gateway = await Gateway.start('127.0.0.1:9');
    try {
      const problem = await gateway.problem('/api/generate', {
        workflow_data: picture(),
        output_node_id: 277,
      });
      expect(problem).toMatchObject({ status: 503, code: 'no_backend' });
      const ready = await gateway.fetch('/health/ready');
      expect(ready.status).toBe(503);
      expect(JSON.parse(ready.bytes.toString())).toMatchObject({
        status: 'error',
        error: { backends: { status: 'down' } },
      });
      expect((await gateway.fetch('/health/live')).status).toBe(200);
    } finally {
      await gateway.stop();
    }
  });

  it('429 queue_full with Retry-After', async () => {
    const comfy = await ComfyStandin.start();
    const gateway = await Gateway.start(comfy.url, { env: { MAX_QUEUE: '2', COMFYUI_SLOTS: '1' } });
    try {
      const calls = Array.from({ length: 6 }, () =>
        gateway.post('/api/generate', { workflow_data: slow({ steps: 10 }), output_node_id: 277 }),
      );
      const responses = await Promise.all(calls);
      const statuses = responses.map(({ status }) => status).sort((a, b) => a - b);
      expect(statuses).toEqual([200, 200, 200, 429, 429, 429]);
      const refused = responses.find(({ status }) => status === 429);
      expect(refused?.headers.get('retry-after')).toBe('5');
    } finally {
      await gateway.stop();
      await comfy.stop();
    }
  });

  it('504 wait_timeout with the job’s URL, which leads to the result', async () => {
    const comfy = await ComfyStandin.start();
    const gateway = await Gateway.start(comfy.url, {
      env: { GENERATE_TIMEOUT_S: '1', SERVER_BASE_URL: 'http://pictures.example.com' },
    });
    try {
      const body = { workflow_data: slow({ steps: 70 }), output_node_id: 277 };
      const problem = await gateway.problem('/api/generate', body);
      expect(problem).toMatchObject({ status: 504, code: 'wait_timeout' });
      expect(problem.job_url).toBe(`http://pictures.example.com/api/generate/${problem.job_id}`);
      const path = `/api/generate/${problem.job_id}`;
      const pending = await gateway.fetch(path);
      expect(pending.status).toBe(202);
      expect(JSON.parse(pending.bytes.toString())).toMatchObject({
        job_id: problem.job_id,
        status: 'running',
      });
      await expect.poll(async () => (await gateway.fetch(path)).status, { timeout: 5_000 }).toBe(200);
      const file = await gateway.fetch(`${path}?response_type=file`);
      expect(file.headers.get('content-type')).toBe('image/png');
      expect(await readProblem(await fetch(`${gateway.url}${path}?output_index=x`))).toMatchObject({
        code: 'invalid_request',
      });
    } finally {
      await gateway.stop();
      await comfy.stop();
    }
  });

  it('503 shutting_down for those who still wait when the server stops', async () => {
    const comfy = await ComfyStandin.start();
    const gateway = await Gateway.start(comfy.url);
    const waiting = gateway.post('/api/generate', {
      workflow_data: slow({ steps: 500 }),
      output_node_id: 277,
    });
    await expect.poll(() => comfy.queue.running.length).toBe(1);
    await gateway.stop();
    expect(await readProblem(await waiting)).toMatchObject({ status: 503, code: 'shutting_down' });
    await expect.poll(() => comfy.queue.running.length).toBe(0);
    await comfy.stop();
  });
});
