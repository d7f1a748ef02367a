import { mkdtemp, readdir, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { createApp } from '../../../src/app.setup.js';
import { CLIENT_LIMITS, type ComfyOptions } from '../../../src/comfy/index.js';
import { readSettings, type Settings } from '../../../src/config/index.js';

/** Short, so that tests of trouble end in moments. */
export const FAST: Partial<ComfyOptions> = {
  noBackendAfterMs: 700,
  avoidMs: 20,
  shutdownGraceMs: 0,
  storeRetryMs: 2_000,
  circuit: { faultsToCheck: 3, minRestMs: 100, maxRestMs: 500, checkPauseMs: 10, probeBytes: 65_536 },
  limits: {
    http: {
      ...CLIENT_LIMITS.http,
      answerTimeoutMs: 1_000,
      questionTimeoutMs: 1_000,
      bodyIdleTimeoutMs: 1_000,
    },
    socket: { ...CLIENT_LIMITS.socket, pingIntervalMs: 200, minBackoffMs: 20, maxBackoffMs: 100 },
    run: {
      silenceMs: 500,
      blindPollMs: 50,
      lostAfterMs: 1_000,
      refusedAfterMs: 300,
      doubtMs: 300,
      replyGraceMs: 200,
      historyGraceMs: 200,
    },
  },
};

export interface GatewayOptions {
  /** Environment variables, as a user would set them. */
  env?: Record<string, string>;
  comfy?: Partial<ComfyOptions>;
  /** Last say over the settings, e.g. for times that seconds are too coarse for. */
  adjust?: (settings: Settings) => void;
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  job_id?: string;
  job_url?: string;
  node_errors?: Record<
    string,
    { class_type: string; errors: { type: string; message: string; details: string }[] }
  >;
  errors?: { field: string; message: string }[];
  retry_after?: number;
}

export interface Reply {
  url: string;
  expires_at: string | null;
  job_id: string;
  outputs: {
    node_id: string;
    index: number;
    kind: string;
    url: string;
    content_type: string;
    size: number;
    filename: string;
    expires_at: string | null;
    text?: string;
  }[];
  timings: Record<string, number>;
  attempts: number;
  outputs_via: string;
  node_errors?: Record<string, unknown>;
}

/** The service under test, in this process, on a port of its own. */
export class Gateway {
  private constructor(
    readonly app: NestExpressApplication,
    readonly url: string,
    /** Where its local copies are. */
    readonly folder: string,
  ) {}

  static async start(comfyui: string, options: GatewayOptions = {}): Promise<Gateway> {
    const folder = await mkdtemp(join(tmpdir(), 'gateway-'));
    const settings = readSettings({
      COMFYUI_SERVER: comfyui,
      ENABLE_OSS: 'false',
      OUTPUT_DIR: folder,
      MIN_FREE_MB: '0',
      LOG_LEVEL: 'error',
      ...options.env,
    });
    settings.comfy = { ...settings.comfy, ...FAST, ...options.comfy };
    options.adjust?.(settings);
    const app = await createApp(settings);
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    return new Gateway(app, `http://127.0.0.1:${port}`, folder);
  }

  async stop(): Promise<void> {
    await this.app.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Stored files; dot files are ours. */
  async files(): Promise<string[]> {
    return (await readdir(this.folder)).filter((name) => !name.startsWith('.'));
  }

  post(path: string, body: unknown, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...init,
      headers: {
        'content-type': 'application/json',
        ...(init.headers as Record<string, string> | undefined),
      },
    });
  }

  /** `POST /api/generate`, which has to succeed. */
  async generate(body: Record<string, unknown>): Promise<Reply> {
    const response = await this.post('/api/generate', body);
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${response.status}: ${text}`);
    return JSON.parse(text) as Reply;
  }

  /** Any request that has to end in a problem. */
  async problem(path: string, body: unknown, init?: RequestInit): Promise<Problem> {
    return readProblem(await this.post(path, body, init));
  }

  /** Bytes of a URL in a reply, which may be relative. */
  async fetch(url: string, init?: RequestInit): Promise<{ status: number; headers: Headers; bytes: Buffer }> {
    const response = await fetch(new URL(url, this.url), init);
    return {
      status: response.status,
      headers: response.headers,
      bytes: Buffer.from(await response.arrayBuffer()),
    };
  }
}

/** A problem document, checked for the members that every one has. */
export async function readProblem(response: Response): Promise<Problem> {
  const text = await response.text();
  const type = response.headers.get('content-type') ?? '';
  if (!type.startsWith('application/problem+json')) {
    throw new Error(`not a problem: ${response.status} ${type} ${text.slice(0, 300)}`);
  }
  const problem = JSON.parse(text) as Problem;
  if (problem.status !== response.status) throw new Error('the status of the body is another');
  for (const member of ['type', 'title', 'detail', 'code'] as const) {
    if (typeof problem[member] !== 'string' || problem[member] === '') throw new Error(`no ${member}`);
  }
  return problem;
}
