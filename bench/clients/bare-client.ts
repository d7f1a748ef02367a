import { randomUUID } from 'node:crypto';
import { Pool } from 'undici';
import { type RawData, WebSocket } from 'ws';
import { type Graph, OUTPUT_NODE } from '../workflows.js';
import { CALL_LIMIT_MS, type Client, countBytes } from './client.js';

export interface BareClientOptions {
  /** Connections to keep: the number of callers. */
  connections: number;
  /**
   * Save each prompt into a folder of its own, as the service does; without it all prompts share one folder, which is
   * what clients usually do.
   */
  jobFolders: boolean;
}

interface FileRef {
  filename: string;
  subfolder: string;
  type: string;
}

interface Waiter {
  files: (files: FileRef[]) => void;
  fail: (error: Error) => void;
}

interface Frame {
  type: string;
  data: { prompt_id?: string; node?: string | null; output?: { images?: FileRef[] } };
}

/**
 * The best client of ComfyUI that one can write by hand, to measure the service against: one kept WebSocket without
 * compression, prompt ids of its own so that it listens before it submits, kept connections, the file fetched as soon
 * as its node has run, and no question to `/history`. It has no answer to a lost event, a dropped socket, a caller
 * who hangs up or a full disk. Shares no code with the service.
 */
export class BareClient implements Client {
  readonly name = 'bare client';
  private readonly waiters = new Map<string, Waiter>();

  private constructor(
    private readonly pool: Pool,
    private readonly socket: WebSocket,
    private readonly clientId: string,
    private readonly options: BareClientOptions,
  ) {
    socket.on('message', (data: RawData, binary: boolean) => {
      if (!binary) this.hear((data as Buffer).toString());
    });
    socket.on('close', () => this.failAll(new Error('ComfyUI closed the socket')));
  }

  static async connect(url: string, options: BareClientOptions): Promise<BareClient> {
    const clientId = randomUUID();
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/ws?clientId=${clientId}`, {
      perMessageDeflate: false,
      handshakeTimeout: 10_000,
      maxPayload: 256 * 1024 * 1024,
    });
    await new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject));
    socket.on('error', () => undefined); // 'close' follows.
    socket.send(JSON.stringify({ type: 'feature_flags', data: { supports_preview_metadata: true } }));
    const pool = new Pool(url, { connections: options.connections, keepAliveTimeout: 60_000 });
    return new BareClient(pool, socket, clientId, options);
  }

  async run(graph: Graph): Promise<void> {
    const promptId = randomUUID();
    const announced = this.listen(promptId);
    const submitted = this.submit(promptId, this.options.jobFolders ? inFolder(graph, promptId) : graph);
    // Whichever breaks first; the files can be known before the reply to `POST /prompt`.
    const [files] = await Promise.all([announced, submitted]);
    if (files.length === 0) throw new Error('the output node made no file');
    await Promise.all(files.map((file) => this.fetch(file)));
  }

  async close(): Promise<void> {
    this.socket.removeAllListeners('close');
    this.socket.terminate();
    await this.pool.destroy();
  }

  private listen(promptId: string): Promise<FileRef[]> {
    return new Promise<FileRef[]>((resolve, reject) => {
      const timer = setTimeout(() => this.waiters.get(promptId)?.fail(new Error('no result')), CALL_LIMIT_MS);
      const end = () => {
        clearTimeout(timer);
        this.waiters.delete(promptId);
      };
      this.waiters.set(promptId, {
        files: (files) => {
          end();
          resolve(files);
        },
        fail: (error) => {
          end();
          reject(error);
        },
      });
    });
  }

  private hear(text: string): void {
    const { type, data } = JSON.parse(text) as Frame;
    const waiter = data.prompt_id === undefined ? undefined : this.waiters.get(data.prompt_id);
    if (waiter === undefined) return;
    if (type === 'executed' && data.node === OUTPUT_NODE) waiter.files(data.output?.images ?? []);
    else if (type === 'execution_error' || type === 'execution_interrupted') waiter.fail(new Error(type));
  }

  private async submit(promptId: string, prompt: Graph): Promise<void> {
    const body = JSON.stringify({ prompt, client_id: this.clientId, prompt_id: promptId });
    const headers = { 'content-type': 'application/json' };
    const answer = await this.pool.request({ method: 'POST', path: '/prompt', headers, body });
    const text = await answer.body.text();
    if (answer.statusCode !== 200)
      throw new Error(`POST /prompt: ${answer.statusCode} ${text.slice(0, 200)}`);
  }

  private async fetch({ filename, subfolder, type }: FileRef): Promise<void> {
    const query = new URLSearchParams({ filename, subfolder, type }).toString();
    const answer = await this.pool.request({ method: 'GET', path: `/view?${query}` });
    const bytes = await countBytes(answer.body);
    if (answer.statusCode !== 200 || bytes !== Number(answer.headers['content-length'])) {
      throw new Error(`GET /view: ${answer.statusCode}, ${bytes} bytes`);
    }
  }

  private failAll(error: Error): void {
    for (const waiter of this.waiters.values()) waiter.fail(error);
  }
}

/** As deep as the service's own folders, so that ComfyUI has the same work with both. */
function inFolder(graph: Graph, promptId: string): Graph {
  const output = graph[OUTPUT_NODE];
  if (output === undefined) return graph;
  const filename_prefix = `bench/today/${promptId.slice(-2)}/${promptId}/${String(output.inputs['filename_prefix'])}`;
  return { ...graph, [OUTPUT_NODE]: { ...output, inputs: { ...output.inputs, filename_prefix } } };
}
