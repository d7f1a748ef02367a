/* oxlint-disable vitest/no-standalone-expect -- these are the steps of tests */
import { Comfy } from '@comfyorg/sdk';
import { ComfyLow, schemas } from '@comfyorg/sdk/low';
import { expect } from 'vitest';

interface Schema {
  safeParse(value: unknown): { success: boolean; error?: { message: string } };
}

/** What the contract says of each answer. An answer that is not among them fails the test. */
const REPLIES: [method: string, path: RegExp, status: number, schema: Schema | undefined][] = [
  ['POST', /\/jobs$/, 201, schemas.zPostJobsResponse],
  ['GET', /\/jobs\/[^/]+$/, 200, schemas.zGetJobResponse],
  ['GET', /\/jobs\/[^/]+\/workflow$/, 200, schemas.zGetJobWorkflowResponse],
  ['GET', /\/jobs\/[^/]+\/events$/, 200, undefined],
  ['POST', /\/jobs\/[^/]+\/cancel$/, 200, schemas.zCancelJobResponse],
  ['POST', /\/assets$/, 200, schemas.zPostAssetsResponse],
  ['POST', /\/assets$/, 201, schemas.zPostAssetsResponse],
  ['POST', /\/assets\/from-hash$/, 200, schemas.zAssetFromHashResponse],
  ['POST', /\/assets\/from-hash$/, 201, schemas.zAssetFromHashResponse],
  ['HEAD', /\/assets\/by-hash\/[^/]+$/, 200, undefined],
  ['HEAD', /\/assets\/by-hash\/[^/]+$/, 404, undefined],
  ['GET', /\/assets\/[^/]+$/, 200, schemas.zGetAssetResponse],
  ['GET', /\/assets\/[^/]+\/content$/, 200, undefined],
  ['GET', /\/assets\/[^/]+\/content$/, 206, undefined],
  ['GET', /\/assets\/[^/]+\/content$/, 302, undefined],
  ['DELETE', /\/assets\/[^/]+$/, 204, undefined],
];

/** An answer of Comfy API v2, held against the official schemas. */
export async function expectContract(method: string, url: string, response: Response): Promise<void> {
  const { pathname } = new URL(url);
  if (!/\/api\/v2\//.test(pathname)) return;
  const what = `${method} ${pathname} ${response.status}`;
  if (response.status >= 400 && method !== 'HEAD') {
    const body: unknown = await response.clone().json();
    expect(schemas.zErrorEnvelope.safeParse(body), `${what}: ${JSON.stringify(body)}`).toMatchObject({
      success: true,
    });
    return;
  }
  const known = REPLIES.find(
    ([wanted, path, status]) => wanted === method && path.test(pathname) && status === response.status,
  );
  if (known === undefined) expect.fail(`${what} is not in the contract`);
  const [, , , schema] = known;
  if (schema === undefined) return;
  const body: unknown = await response.clone().json();
  const verdict = schema.safeParse(body);
  expect(verdict.success, `${what}: ${verdict.error?.message} in ${JSON.stringify(body)}`).toBe(true);
}

/** `fetch` that looks at every answer as it comes. */
const watched: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  const url = typeof input === 'string' ? input : input instanceof URL ? input.href : input.url;
  await expectContract(init?.method ?? 'GET', url, response);
  return response;
};

export type OfficialClient = Comfy;

/** The official client, as its users make it. */
export function comfyAt(url: string): Comfy {
  const before = process.env['COMFY_BASE_URL'];
  process.env['COMFY_BASE_URL'] = url;
  try {
    return new Comfy({ fetch: watched });
  } finally {
    if (before === undefined) delete process.env['COMFY_BASE_URL'];
    else process.env['COMFY_BASE_URL'] = before;
  }
}

/** Its lower half, a method an operation. */
export function comfyLowAt(url: string): ComfyLow {
  return new ComfyLow(url, undefined, { fetch: watched });
}
