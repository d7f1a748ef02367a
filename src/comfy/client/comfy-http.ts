import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { errors, Pool, type Dispatcher } from 'undici';
import type { BackendAddress } from '../../config/index.js';
import { stringifyJson } from '../workflow/index.js';
import type { Workflow } from '../workflow/index.js';
import { BackendError, PromptRejected } from './backend.error.js';
import { asRecord, asString, type FileRef } from './messages.js';
import { viewName } from './output-path.js';
import { type FileToUpload, toMultipart } from './multipart.js';
import type { Probe } from './reachability.js';
import { parsePythonJson, type PythonJsonOptions } from './python-json.js';

export interface HttpLimits {
  /** Kept connections to one ComfyUI: so many for prompts and questions, and as many for files. */
  connections: number;
  /** Milliseconds for a TCP (and TLS) connection. */
  connectTimeoutMs: number;
  /** Milliseconds until the headers of an answer are there, for prompts and files. */
  answerTimeoutMs: number;
  /** The same for short questions and orders: nothing of theirs takes ComfyUI long, unless it is in trouble. */
  questionTimeoutMs: number;
  /** Milliseconds of silence in the middle of a body. */
  bodyIdleTimeoutMs: number;
}

export const HTTP_LIMITS: HttpLimits = {
  connections: 8,
  connectTimeoutMs: 5_000,
  answerTimeoutMs: 30_000,
  questionTimeoutMs: 10_000,
  bodyIdleTimeoutMs: 30_000,
};

/** Our mark in a prompt's `extra_data`, by which a prompt is found whose id an old server replaced (11). */
export const JOB_MARK = 'comfy_sync_prompt';

/** Beside it, who sent it: several gateways may share a ComfyUI, and each looks after its own prompts only. */
const OWNER_MARK = 'comfy_sync_owner';

export interface PromptToSubmit {
  workflow: Workflow;
  clientId: string;
  /** Lower-case UUID; servers of 0.25 and later refuse anything else. */
  promptId: string;
  extraData?: Record<string, unknown>;
  /** Output nodes to which the server limits the run (34a); servers that do not know the field ignore it. */
  targets?: readonly string[];
  /** It goes before everything that waits; what runs is not touched. */
  front?: boolean;
}

export interface PromptAccepted {
  /** The id the server will use; old servers choose their own. */
  promptId: string;
  /** As it came; not empty where some branch of the graph will be skipped (16). */
  nodeErrors: unknown;
}

/** A prompt in ComfyUI's queue. */
export interface QueuedPrompt {
  promptId: string;
  /** The id we asked for, where the prompt carries our mark. */
  mark: string | undefined;
  /** Did we send it? */
  ours: boolean;
}

export interface QueueSnapshot {
  running: QueuedPrompt[];
  pending: QueuedPrompt[];
  /** False where a row could not be read: a prompt that is not in the lists may be there all the same. */
  complete: boolean;
}

/** An answer of `/view` under way. */
export interface ViewedFile {
  body: Readable;
  /** Bytes announced, where the server announced any. */
  size: number | undefined;
  /** The `ETag` header without quotes and `W/`; aiohttp writes `<mtime in ns, hex>-<size, hex>` (35). */
  etag: string | undefined;
  /** The `Last-Modified` header in ms since the epoch, whole seconds (35). */
  lastModified: number | undefined;
}

/** JSON answers larger than this are refused: `/queue` and `/history/{id}` repeat whole workflows. */
const MAX_JSON_BYTES = 64 * 1024 * 1024;

/** Milliseconds for the question what answers there. */
const PROBE_MS = 5_000;

/** How ComfyUI itself words a 500 (04); that of a proxy says something else, and nothing about the graph. */
const OWN_500 = 'Server got itself in trouble';

/** The HTTP half of one ComfyUI: one method a route, kept-alive connections, a time limit on everything. */
export class ComfyHttp {
  private readonly pool: Pool;
  /** Apart, so that a queue of large files never keeps a prompt waiting. */
  private readonly files: Pool;
  private readonly prefix: string;
  private readonly query: string;
  private readonly headers: Record<string, string>;

  constructor(
    address: BackendAddress,
    private readonly limits: HttpLimits = HTTP_LIMITS,
    /** Who we are, to tell our prompts from those of others. */
    private readonly owner: string = randomUUID(),
  ) {
    const url = new URL(address.url);
    this.prefix = url.pathname.replace(/\/+$/, '');
    this.query = new URLSearchParams(address.query).toString();
    this.headers = { ...address.headers };
    const options: Pool.Options = {
      connections: limits.connections,
      connect: { timeout: limits.connectTimeoutMs },
      bodyTimeout: limits.bodyIdleTimeoutMs,
      keepAliveTimeout: 10_000,
      // A proxy's hint may say longer.
      keepAliveMaxTimeout: 10_000,
    };
    this.pool = new Pool(url.origin, options);
    this.files = new Pool(url.origin, options);
  }

  /**
   * `POST /prompt`.
   * @throws PromptRejected on a 400 and a 500 of ComfyUI's own; BackendError otherwise, `inDoubt` where the prompt may have been accepted
   */
  async submit(prompt: PromptToSubmit): Promise<PromptAccepted> {
    const body = stringifyJson({
      prompt: prompt.workflow,
      client_id: prompt.clientId,
      prompt_id: prompt.promptId,
      extra_data: { ...prompt.extraData, [JOB_MARK]: prompt.promptId, [OWNER_MARK]: this.owner },
      ...(prompt.front === true ? { front: true } : {}),
      ...(prompt.targets === undefined ? {} : { partial_execution_targets: prompt.targets }),
    });
    const answer = await this.request('POST', '/prompt', { body, timeoutMs: this.limits.answerTimeoutMs });
    const text = await this.text(answer);
    if (answer.statusCode === 500 && text.includes(OWN_500)) {
      // What we send is always JSON, so reading the graph broke ComfyUI: it does so on what it does not expect.
      throw new PromptRejected('unreadable', 'ComfyUI failed while reading it', '', undefined);
    }
    const json = asRecord(readJson(text));
    // A 400 of a proxy holds no `error`, and says nothing of the graph.
    if (answer.statusCode === 400 && json?.['error'] !== undefined) throw readRejection(json);
    this.expectOk(answer, 'POST /prompt');
    const promptId = asString(json?.['prompt_id']);
    if (promptId === undefined) throw unreadable('POST /prompt');
    return { promptId, nodeErrors: json?.['node_errors'] };
  }

  /**
   * `GET /history/{id}`: the entry, or undefined. Unknown, pending, running and lost prompts have none alike.
   * @throws BackendError `unreadable` also where the answer holds something else instead
   */
  async history(promptId: string): Promise<unknown> {
    const entries = await this.getObject(`/history/${encodeURIComponent(promptId)}`, { exactIntegers: true });
    if (Object.hasOwn(entries, promptId)) return entries[promptId];
    if (Object.keys(entries).length > 0) throw unreadable('GET /history/{id}');
    return undefined;
  }

  /** Looks through the newest entries for one that carries our mark; for old servers, which replace our ids. */
  async historyByMark(mark: string): Promise<{ promptId: string; entry: unknown } | undefined> {
    const entries = await this.getObject('/history?max_items=64', { exactIntegers: true });
    for (const [promptId, entry] of Object.entries(entries)) {
      const prompt = asRecord(entry)?.['prompt'];
      if (Array.isArray(prompt) && readMark(prompt[3]) === mark) return { promptId, entry };
    }
    return undefined;
  }

  /** `GET /queue`. */
  async queue(): Promise<QueueSnapshot> {
    const { queue_running: runningRows, queue_pending: pendingRows } = await this.getObject('/queue');
    if (!Array.isArray(runningRows) || !Array.isArray(pendingRows)) throw unreadable('GET /queue');
    const running = this.readRows(runningRows);
    const pending = this.readRows(pendingRows);
    return {
      running,
      pending,
      complete: running.length + pending.length === runningRows.length + pendingRows.length,
    };
  }

  /** `POST /queue {delete}`: takes prompts out of the waiting line; a running one is not touched (08). */
  async deletePending(promptIds: readonly string[]): Promise<void> {
    await this.post('/queue', { delete: promptIds });
  }

  /** `POST /interrupt`. Servers of 0.3.11 ignore the id and stop whatever runs (07): ask `queue()` first. */
  async interrupt(promptId: string): Promise<void> {
    await this.post('/interrupt', { prompt_id: promptId });
  }

  /** `POST /history {delete}`: unknown ids are ignored. */
  async deleteHistory(promptIds: readonly string[]): Promise<void> {
    await this.post('/history', { delete: promptIds });
  }

  /** `POST /free`: takes effect between two prompts. */
  async free(what: { models: boolean }): Promise<void> {
    // Said either way: where only `free_memory` is, the models go as well. It is what empties the node cache.
    await this.post('/free', { unload_models: what.models, free_memory: true });
  }

  /**
   * `POST /api/jobs/{id}/cancel` of servers from June 2026 on: stops a pending or running prompt and touches no other.
   * @returns `unsupported` where the server does not know the route (404; 405 in 0.8.0, 25); `cancelled: false` says that the
   * prompt has ended or is unknown
   * @throws BackendError
   */
  async cancelJob(promptId: string): Promise<{ cancelled: boolean } | 'unsupported'> {
    const answer = await this.request('POST', `/api/jobs/${encodeURIComponent(promptId)}/cancel`, {
      body: '{}',
    });
    const json = asRecord(readJson(await this.text(answer)));
    if (answer.statusCode === 404 || answer.statusCode === 405) return 'unsupported';
    this.expectOk(answer, 'POST /api/jobs/{id}/cancel');
    const cancelled = json?.['cancelled'];
    if (typeof cancelled !== 'boolean') throw unreadable('POST /api/jobs/{id}/cancel');
    return { cancelled };
  }

  /**
   * `GET /view`: the bytes of an output, as a stream. All three parts go back exactly as ComfyUI gave them.
   * @throws BackendError `status` 404 where the file is gone (23b)
   */
  async view(file: FileRef, signal?: AbortSignal): Promise<ViewedFile> {
    const { subfolder, type } = file;
    const query = new URLSearchParams({ filename: viewName(file), subfolder, type }).toString();
    const answer = await this.request('GET', `/view?${query}`, {
      pool: this.files,
      timeoutMs: this.limits.answerTimeoutMs,
      ...(signal ? { signal } : {}),
    });
    if (answer.statusCode !== 200) {
      await answer.body.dump();
      throw new BackendError('status', `GET /view was answered with ${answer.statusCode}`, answer.statusCode);
    }
    const length =
      answer.headers['content-encoding'] === undefined ? answer.headers['content-length'] : undefined;
    const { etag, 'last-modified': modified } = answer.headers;
    const lastModified = typeof modified === 'string' ? Date.parse(modified) : NaN;
    return {
      body: answer.body,
      size: typeof length === 'string' ? Number(length) : undefined,
      etag: typeof etag === 'string' ? etag.replace(/^W\//, '').replaceAll('"', '') : undefined,
      lastModified: Number.isNaN(lastModified) ? undefined : lastModified,
    };
  }

  /**
   * `POST /upload/image`, which takes files of every kind (15).
   * @returns what a node has to say to mean the file: the server renames one whose name is taken by other bytes
   * @throws BackendError
   */
  async upload(file: FileToUpload, signal: AbortSignal): Promise<string> {
    const { body, headers } = toMultipart(file);
    const answer = await this.request('POST', '/upload/image', {
      pool: this.files,
      timeoutMs: this.limits.answerTimeoutMs,
      body,
      headers,
      signal,
    });
    const json = asRecord(readJson(await this.text(answer)));
    this.expectOk(answer, 'POST /upload/image');
    const name = asString(json?.['name']);
    if (name === undefined) throw unreadable('POST /upload/image');
    const subfolder = asString(json?.['subfolder']) ?? '';
    return subfolder === '' ? name : `${subfolder}/${name}`;
  }

  /** `GET /object_info/{class}`: what ComfyUI says of a node class; undefined where it has none of this name (18). @throws BackendError */
  async objectInfo(className: string): Promise<unknown> {
    const classes = await this.getObject(`/object_info/${encodeURIComponent(className)}`);
    return Object.hasOwn(classes, className) ? classes[className] : undefined;
  }

  /** `GET /system_stats`: what answers there. @throws BackendError where nothing does */
  async probe(): Promise<Probe> {
    const answer = await this.request('GET', '/system_stats', { timeoutMs: PROBE_MS });
    const text = (await this.text(answer)).trimStart();
    return {
      status: answer.statusCode,
      html: /^<(?:!doctype|html|head|body)/i.test(text),
      comfyui: text.startsWith('{') && text.includes('"system"'),
    };
  }

  /** Ends every connection; what is under way fails. */
  async close(): Promise<void> {
    await Promise.all([this.pool.destroy(), this.files.destroy()]);
  }

  /** @throws BackendError `unreadable` where the body is no JSON object */
  private async getObject(path: string, options?: PythonJsonOptions): Promise<Record<string, unknown>> {
    const answer = await this.request('GET', path);
    const what = `GET ${path.split(/[?]/)[0]}`;
    const json = asRecord(readJson(await this.text(answer), options));
    this.expectOk(answer, what);
    if (json === undefined) throw unreadable(what);
    return json;
  }

  private async post(path: string, body: unknown): Promise<void> {
    const answer = await this.request('POST', path, { body: JSON.stringify(body) });
    await answer.body.dump();
    this.expectOk(answer, `POST ${path}`);
  }

  private expectOk(answer: Dispatcher.ResponseData, what: string): void {
    if (answer.statusCode !== 200) {
      throw new BackendError('status', `${what} was answered with ${answer.statusCode}`, answer.statusCode);
    }
  }

  private async request(
    method: 'GET' | 'POST',
    path: string,
    options: {
      body?: string | Readable;
      headers?: Record<string, string>;
      signal?: AbortSignal;
      pool?: Pool;
      timeoutMs?: number;
    } = {},
  ): Promise<Dispatcher.ResponseData> {
    const separator = path.includes('?') ? '&' : '?';
    const { timeoutMs = this.limits.questionTimeoutMs } = options;
    // Files may take long; everything else has a limit also where it trickles.
    const signal =
      options.pool === undefined
        ? AbortSignal.timeout(timeoutMs + this.limits.bodyIdleTimeoutMs)
        : options.signal;
    try {
      return await (options.pool ?? this.pool).request({
        method,
        path: `${this.prefix}${path}${this.query === '' ? '' : separator + this.query}`,
        headers: {
          ...this.headers,
          ...(typeof options.body === 'string' ? { 'content-type': 'application/json' } : {}),
          ...options.headers,
        },
        body: options.body ?? null,
        headersTimeout: timeoutMs,
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      throw options.signal?.aborted ? options.signal.reason : asBackendError(error);
    }
  }

  private readRows(rows: readonly unknown[]): QueuedPrompt[] {
    return rows.flatMap((row) => {
      if (!Array.isArray(row) || typeof row[1] !== 'string') return [];
      const ours = asRecord(row[3])?.[OWNER_MARK] === this.owner;
      return [{ promptId: row[1], mark: readMark(row[3]), ours }];
    });
  }

  private async text({ body, headers, statusCode }: Dispatcher.ResponseData): Promise<string> {
    if (Number(headers['content-length'] ?? 0) > MAX_JSON_BYTES) {
      body.destroy();
      throw new BackendError('unreadable', 'The answer is too large', statusCode);
    }
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        chunks.push(chunk);
        size += chunk.length;
        // Leaving the loop ends the body.
        if (size > MAX_JSON_BYTES) break;
      }
    } catch (error) {
      throw asBackendError(error);
    }
    if (size > MAX_JSON_BYTES) throw new BackendError('unreadable', 'The answer is too large', statusCode);
    return Buffer.concat(chunks).toString('utf8');
  }
}

/** Undefined for a proxy's HTML page and the like: where the status is wrong, it says more than the body. */
function readJson(text: string, options?: PythonJsonOptions): unknown {
  try {
    return text === '' ? undefined : parsePythonJson(text, options);
  } catch {
    return undefined;
  }
}

function unreadable(what: string): BackendError {
  return new BackendError('unreadable', `${what} was not answered as ComfyUI answers`, 200);
}

/** The body of a 400 (04). Newer servers name a single node in `extra_info` of the error instead of in `node_errors`. */
function readRejection(json: Record<string, unknown>): PromptRejected {
  const error = asRecord(json['error']);
  const type = asString(error?.['type']) ?? 'invalid_prompt';
  const message = asString(error?.['message']) ?? asString(json['error']) ?? 'ComfyUI refused the prompt';
  const details = asString(error?.['details']) ?? '';
  const extra = asRecord(error?.['extra_info']);
  const node = asString(extra?.['node_id']);
  const nodeErrors =
    node === undefined
      ? json['node_errors']
      : {
          ...asRecord(json['node_errors']),
          [node]: {
            class_type: asString(extra?.['class_type']) ?? '',
            errors: [{ type, message, details, extra_info: extra }],
          },
        };
  return new PromptRejected(type, message, details, nodeErrors);
}

function readMark(extraData: unknown): string | undefined {
  return asString(asRecord(extraData)?.[JOB_MARK]);
}

const NEVER_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
]);

/** Also used for errors of a body stream that break while it is read. */
export function asBackendError(error: unknown): BackendError {
  if (error instanceof BackendError) return error;
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  if (error instanceof errors.ConnectTimeoutError || NEVER_SENT.has(code)) {
    return new BackendError('unreachable', 'The backend cannot be reached', undefined, error);
  }
  const { name } = (error ?? {}) as Partial<Error>;
  if (
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError ||
    name === 'TimeoutError'
  ) {
    return new BackendError('timeout', 'The backend did not answer in time', undefined, error);
  }
  return new BackendError('broken', 'The connection to the backend broke', undefined, error);
}
