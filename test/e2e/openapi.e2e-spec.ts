import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OpenAPIObject } from '@nestjs/swagger';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PROBLEMS, type ProblemCode } from '../../src/problem/index.js';
import { ComfyStandin } from '../comfyui/index.js';
import { buildSdk, type Sdk } from './support/sdk.js';
import { Service } from './support/service.js';
import { failing, picture, slow } from './support/workflows.js';

const fileOf = (path: string) => new URL(`../../${path}`, import.meta.url).pathname;
const COMMITTED = fileOf('openapi.json');

/** Somebody's code, which has to compile: replies, files and errors are typed without a cast. */
const USER = `
import { generate, generateFile, getFile, getReadiness, getResult } from './sdk/index.js';
import type { OutputFile, Problem, ProblemCode } from './sdk/index.js';

export async function use(baseUrl: string): Promise<string> {
  const workflow_data = { '277': { class_type: 'SaveImage', inputs: { images: ['1', 0] } } };
  const { data, error } = await generate({ baseUrl, body: { workflow_data, output_node_id: 277 } });
  if (error !== undefined) {
    const problem: Problem = error;
    const code: ProblemCode = problem.code;
    if (code === 'invalid_workflow') return problem.node_errors?.['4']?.errors[0]?.message ?? problem.detail;
    return (await getResult({ baseUrl, path: { job_id: problem.job_id ?? '' } })).response.statusText;
  }
  // Only who prefers not to wait gets a job in place of a result.
  if (!('url' in data)) return data.job_url;
  const url: string = data.url;
  const expiry: string | null = data.expires_at;
  const outputs: OutputFile[] = data.outputs;
  const milliseconds: number = data.timings.total_ms;
  const file = await generateFile({ baseUrl, body: { workflow_data, output_node_id: '277', output_index: 0 }, throwOnError: true });
  if (!(file.data instanceof Blob)) return file.data.job_url;
  const bytes: ArrayBuffer = await file.data.arrayBuffer();
  const stored = await getFile({ baseUrl, path: { key: 'k' }, query: { e: '1', k: 'a', s: 'b' }, throwOnError: true });
  const size: number = stored.data.size;
  const { data: ready } = await getReadiness({ baseUrl });
  const connected: number | undefined = ready?.details.backends?.connected;
  return [url, expiry, outputs.length, milliseconds, bytes.byteLength, size, connected].join();
}
// @ts-expect-error a body without a workflow
void generate({ body: {} });
// @ts-expect-error a code that does not exist
export const wrong: ProblemCode = 'oops';
`;

const JOB: ProblemCode[] = [
  'missing_asset',
  'invalid_input',
  'input_unavailable',
  'invalid_workflow',
  'no_output',
  'result_too_large',
  'conversion_failed',
  'output_rejected',
  'internal_error',
  'node_execution_error',
  'out_of_memory',
  'interrupted',
  'backend_lost',
  'job_timeout',
  'job_stalled',
  'storage_error',
  'no_backend',
  'shutting_down',
  'storage_full',
];
/** While a body arrives. */
const BODY: ProblemCode[] = ['request_timeout', 'too_many_requests', 'overloaded'];
const CALL: ProblemCode[] = [
  ...JOB,
  ...BODY,
  'invalid_request',
  'origin_not_allowed',
  'payload_too_large',
  'unsupported_media_type',
  'workflow_format_ui',
  'output_node_not_found',
  'idempotency_key_reuse',
  'webhooks_off',
  'queue_full',
  'webhooks_full',
  'cancelled',
  'state_error',
  'wait_timeout',
];
const ASK: ProblemCode[] = ['not_found', 'internal_error', 'state_error'];
const CODES: Record<string, ProblemCode[]> = {
  generate: CALL,
  generateFile: CALL,
  getResult: [...JOB, 'invalid_request', 'not_found', 'cancelled', 'state_error'],
  postJobs: [
    ...BODY,
    'invalid_request',
    'origin_not_allowed',
    'invalid_input',
    'payload_too_large',
    'unsupported_media_type',
    'invalid_workflow',
    'workflow_format_ui',
    'missing_asset',
    'idempotency_key_reuse',
    'webhooks_off',
    'queue_full',
    'webhooks_full',
    'internal_error',
    'state_error',
    'no_backend',
    'shutting_down',
  ],
  listJobs: ['invalid_request', 'internal_error', 'state_error'],
  getJob: ASK,
  getJobWorkflow: ASK,
  getJobEvents: [...ASK, 'too_many_streams'],
  cancelJob: [...ASK, 'origin_not_allowed'],
  postAssets: [
    ...BODY,
    'invalid_request',
    'origin_not_allowed',
    'hash_mismatch',
    'payload_too_large',
    'unsupported_media_type',
    'internal_error',
    'storage_error',
    'state_error',
    'storage_full',
  ],
  assetFromHash: [
    ...BODY,
    'invalid_request',
    'origin_not_allowed',
    'blob_not_found',
    'payload_too_large',
    'unsupported_media_type',
    'internal_error',
    'state_error',
  ],
  headAssetByHash: [],
  getAsset: ASK,
  getAssetContent: [...ASK, 'precondition_failed', 'range_not_satisfiable', 'storage_error'],
  deleteAsset: [...ASK, 'origin_not_allowed', 'asset_in_use'],
  getContractHealth: [],
  getFile: [
    'invalid_request',
    'link_invalid',
    'not_found',
    'link_expired',
    'precondition_failed',
    'range_not_satisfiable',
    'internal_error',
    'storage_error',
  ],
  listBackends: ['unauthorized'],
  drainBackend: ['unauthorized', 'origin_not_allowed', 'not_found'],
  undrainBackend: ['unauthorized', 'origin_not_allowed', 'not_found'],
  listDeliveries: ['unauthorized', 'invalid_request', 'state_error'],
  getDelivery: ['unauthorized', 'not_found', 'state_error'],
  resendDelivery: [
    'unauthorized',
    'origin_not_allowed',
    'not_found',
    'webhooks_off',
    'webhooks_full',
    'state_error',
  ],
  getLiveness: [],
  getReadiness: [],
};

interface Content {
  schema: { $ref?: string };
  example?: unknown;
  examples?: Record<string, { value: unknown }>;
}

interface OperationDoc {
  path: string;
  operationId: string;
  requestBody?: { content: Record<string, Content> };
  responses: Record<string, { content?: Record<string, Content>; headers?: Record<string, unknown> }>;
}

function operationsOf(document: OpenAPIObject): OperationDoc[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.values(methods as Record<string, Omit<OperationDoc, 'path'>>).map((operation) => ({
      ...operation,
      path,
    })),
  );
}

function problemsOf(operation: OperationDoc): { code: ProblemCode; status: number }[] {
  return Object.entries(operation.responses).flatMap(([status, { content }]) =>
    [
      ...Object.keys(content?.['application/problem+json']?.examples ?? {}),
      // Comfy API v2 tells errors in its own way.
      ...(Number(status) < 400 ? [] : Object.keys(content?.['application/json']?.examples ?? {})),
    ].map((code) => ({ code: code as ProblemCode, status: Number(status) })),
  );
}

const committed = JSON.parse(readFileSync(COMMITTED, 'utf8')) as OpenAPIObject;
const operations = operationsOf(committed);

describe('the OpenAPI document', () => {
  it('is what the built service writes: run "npm run openapi" and commit the result', () => {
    const folder = mkdtempSync(join(tmpdir(), 'openapi-'));
    const written = join(folder, 'openapi.json');
    execFileSync(process.execPath, [fileOf('dist/openapi/write.js'), written], { stdio: 'inherit' });
    expect(JSON.parse(readFileSync(written, 'utf8'))).toEqual(committed);
    expect(readFileSync(written, 'utf8')).toBe(readFileSync(COMMITTED, 'utf8'));
    rmSync(folder, { recursive: true });
  });

  it('has the version of the package', () => {
    const { version } = JSON.parse(readFileSync(fileOf('package.json'), 'utf8')) as { version: string };
    expect(committed.info.version).toBe(version);
  });

  it('tells each operation the codes it can answer with, and no others', () => {
    const documented = Object.fromEntries(
      operations.map((operation) => [
        operation.operationId,
        [...new Set(problemsOf(operation).map(({ code }) => code))].sort(),
      ]),
    );
    // Those that tell no codes are HEAD, and how the service is; the latter answers under each name.
    const everywhere = (codes: ProblemCode[]) =>
      codes.length === 0 ? [] : [...codes, 'host_not_allowed'].sort();
    const expected = Object.fromEntries(Object.entries(CODES).map(([id, codes]) => [id, everywhere(codes)]));
    expect(documented).toEqual(expected);
  });

  it('holds every code of the table, with its status', () => {
    const problems = operations.flatMap(problemsOf);
    // Plain files under /output_images are no operation; only they take a method for wrong.
    const codes = new Set([...problems.map(({ code }) => code), 'method_not_allowed']);
    expect([...codes].sort()).toEqual(Object.keys(PROBLEMS).sort());
    for (const { code, status } of problems) {
      if (code === 'storage_error') expect([502, 503]).toContain(status);
      else if (code === 'invalid_request') expect([400, 422]).toContain(status);
      else expect({ code, status }).toEqual({ code, status: PROBLEMS[code].status });
    }
    expect(committed.components?.schemas?.['ProblemCode']).toMatchObject({ enum: Object.keys(PROBLEMS) });
  });
});

describe('a client generated from it', () => {
  let comfy: ComfyStandin;
  let service: Service;
  let sdk: Sdk;
  let baseUrl: string;

  beforeAll(async () => {
    comfy = await ComfyStandin.start();
    service = await Service.start({
      COMFYUI_SERVER: comfy.address,
      GENERATE_TIMEOUT_S: '2',
      MAX_BODY_MB: '1',
    });
    baseUrl = service.url;
    await vi.waitUntil(async () => (await fetch(`${baseUrl}/health/ready`)).ok, { timeout: 10_000 });
    sdk = await buildSdk(COMMITTED, USER);
  }, 120_000);
  afterAll(async () => {
    await service.stop();
    await comfy.stop();
    await sdk.remove();
  });

  /** A value as the document has it: without members that are not in its schema. @throws where it does not fit */
  const read = (schema: string, value: unknown): unknown => {
    const known = sdk.schemas[`z${schema}`]?.parse(value);
    // Lengths are int64, which comes out as bigint.
    return JSON.parse(
      JSON.stringify(known, (_, part: unknown) => (typeof part === 'bigint' ? Number(part) : part)),
    );
  };

  /** A problem as the document describes it, of an operation that lists it. */
  const expectProblem = (operationId: string, error: unknown, response: Response, code: ProblemCode) => {
    expect(read('Problem', error)).toMatchObject(error as object);
    expect(error).toMatchObject({ code, status: response.status });
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    const operation = operations.find((candidate) => candidate.operationId === operationId);
    expect(operation && problemsOf(operation)).toContainEqual({ code, status: response.status });
    const headers = Object.keys(operation?.responses[response.status]?.headers ?? {});
    if (response.headers.has('retry-after')) expect(headers).toContain('Retry-After');
  };

  it('comes from the document that the service serves, beside a page', async () => {
    for (const path of ['/openapi.json', '/docs-json']) {
      expect(await (await fetch(baseUrl + path)).json()).toEqual(committed);
    }
    const page = await fetch(`${baseUrl}/docs`);
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toContain('text/html');
    const html = await page.text();
    const assets = [...html.matchAll(/(?:src|href)=["']([^"']+)["']/g)].map(([, url]) => url ?? '');
    expect(assets.length).toBeGreaterThan(3);
    for (const asset of assets) {
      const { origin, href } = new URL(asset, `${baseUrl}/docs`);
      expect(origin).toBe(baseUrl);
      expect((await fetch(href)).status).toBe(200);
    }
  });

  it('finds that the examples of the document fit its schemas', () => {
    let count = 0;
    const contents = operations.flatMap(({ requestBody, responses }) =>
      [requestBody, ...Object.values(responses)].flatMap((part) => Object.values(part?.content ?? {})),
    );
    for (const { schema, example, examples = {} } of contents) {
      const values = [example, ...Object.values(examples).map(({ value }) => value)];
      for (const value of values.filter((candidate) => candidate !== undefined)) {
        expect(read(schema.$ref?.split('/').at(-1) ?? '', value)).toMatchObject(value as object);
        count += 1;
      }
    }
    expect(count).toBeGreaterThan(40);
  });

  it('can send every example of a request', async () => {
    for (const { path, requestBody } of operations) {
      for (const { value } of Object.values(requestBody?.content['application/json']?.examples ?? {})) {
        const response = await fetch(baseUrl + path, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(value),
        });
        expect(response.status).toBe(200);
        await response.arrayBuffer();
      }
    }
  });

  it('gets the URL of a picture', async () => {
    const body = { workflow_data: picture(), output_node_id: 277 };
    const { data, error } = await sdk.calls.generate({ baseUrl, body });
    expect(error).toBeUndefined();
    expect(read('GenerateReply', data)).toMatchObject(data as object);
    const { url } = data as { url: string };
    expect((await fetch(new URL(url, baseUrl))).headers.get('content-type')).toBe('image/png');
  });

  it('gets the bytes of a picture', async () => {
    const body = { workflow_data: picture(), output_node_id: '277' };
    const { data, response } = await sdk.calls.generateFile({ baseUrl, body });
    expect(data).toBeInstanceOf(Blob);
    const bytes = Buffer.from(await (data as Blob).arrayBuffer());
    const name = /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '')?.[1];
    const stored = await (await fetch(`${baseUrl}/output_images/${name}`)).arrayBuffer();
    const md5 = (data: Buffer) => createHash('md5').update(data).digest('hex');
    expect(bytes.subarray(1, 4).toString()).toBe('PNG');
    expect(md5(bytes)).toBe(md5(Buffer.from(stored)));
  });

  it('gets the bytes with response_type "file" too', async () => {
    const body = { workflow_data: picture(), response_type: 'file' };
    const { data, response } = await sdk.calls.generate({ baseUrl, body });
    expect(data).toBeInstanceOf(Blob);
    expect((data as Blob).size).toBe(Number(response.headers.get('content-length')));
    for (const header of ['job-id', 'content-disposition']) expect(response.headers.has(header)).toBe(true);
  });

  it('asks again after wait_timeout', async () => {
    const body = { workflow_data: slow({ steps: 40, delayMs: 75 }), output_node_id: 277 };
    const { error, response } = await sdk.calls.generate({ baseUrl, body });
    expectProblem('generate', error, response, 'wait_timeout');
    const path = { job_id: (error as { job_id: string }).job_id };
    const pending = await sdk.calls.getResult({ baseUrl, path });
    expect(pending.response.status).toBe(202);
    expect(read('PendingReply', pending.data)).toMatchObject(pending.data as object);
    await expect
      .poll(async () => (await sdk.calls.getResult({ baseUrl, path })).response.status, { timeout: 10_000 })
      .toBe(200);
    const { data } = await sdk.calls.getResult({ baseUrl, path });
    expect(read('GenerateReply', data)).toMatchObject(data as object);
    expect(data).toMatchObject(path);
    const file = await sdk.calls.getResult({ baseUrl, path, query: { response_type: 'file' } });
    expect(file.data).toBeInstanceOf(Blob);
  });

  it.each([
    ['invalid_request', { workflow_data: picture(), output_node_id: true }],
    ['payload_too_large', { workflow_data: { '1': { class_type: 'x'.repeat(1_100_000) } } }],
    ['workflow_format_ui', { workflow_data: { nodes: [], links: [] } }],
    ['output_node_not_found', { workflow_data: picture(), output_node_id: 'nope' }],
    ['no_output', { workflow_data: picture(), output_node_id: 277, output_index: 7 }],
    ['invalid_workflow', { workflow_data: { '1': { class_type: 'NoSuchNode', inputs: {} } } }],
    ['node_execution_error', { workflow_data: failing('ValueError'), output_node_id: 277 }],
    ['out_of_memory', { workflow_data: failing('OOM'), output_node_id: 277 }],
  ] as const)('gets %s as the document says', async (code, body) => {
    for (const operation of ['generate', 'generateFile'] as const) {
      const { data, error, response } = await sdk.calls[operation]({ baseUrl, body });
      expect(data).toBeUndefined();
      expectProblem(operation, error, response, code);
    }
  });

  it('gets the problems of the other operations', async () => {
    const job = await sdk.calls.getResult({
      baseUrl,
      path: { job_id: '7b87c392-de65-410f-9557-0ac08ad2a975' },
    });
    expect(job.data).toBeUndefined();
    expectProblem('getResult', job.error, job.response, 'not_found');
    const file = await sdk.calls.getFile({
      baseUrl,
      path: { key: 'image_1795460610911_0a1b2c3d4e5f.png' },
      query: { e: '1', k: 'a', s: 'b' },
    });
    expect(file.data).toBeUndefined();
    expectProblem('getFile', file.error, file.response, 'link_invalid');
  });

  it('reads how the service is, also when it cannot work', async () => {
    const live = await sdk.calls.getLiveness({ baseUrl });
    expect(read('Health', live.data)).toMatchObject(live.data as object);
    const ready = await sdk.calls.getReadiness({ baseUrl });
    expect(read('Health', ready.data)).toMatchObject(ready.data as object);
    const alone = await Service.start({ COMFYUI_SERVER: '127.0.0.1:9' });
    const down = await sdk.calls.getReadiness({ baseUrl: alone.url });
    expect(down.response.status).toBe(503);
    expect(read('Health', down.error)).toMatchObject(down.error as object);
    expect(down.error).toMatchObject({ status: 'error', error: { backends: { status: 'down' } } });
    await alone.stop();
  });
});
