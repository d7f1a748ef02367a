import { Pool } from 'undici';
import { type Graph, OUTPUT_NODE } from '../workflows.js';
import { CALL_LIMIT_MS, type Client, countBytes } from './client.js';

export interface ServiceClientOptions {
  /** Connections to keep: the number of callers. */
  connections: number;
  /** `url`: `POST /api/generate`; `file`: `POST /api/generate_file`. */
  answer: 'url' | 'file';
  /** How pictures are to come from ComfyUI; absent: as the service is set up. */
  outputsVia?: 'files' | 'socket';
}

/** What a user of the service does: one HTTP call. */
export class ServiceClient implements Client {
  readonly name: string;
  private readonly pool: Pool;
  private readonly path: string;

  constructor(
    url: string,
    private readonly options: ServiceClientOptions,
  ) {
    const answer = options.answer === 'url' ? 'service, URL' : 'service, file';
    this.name = options.outputsVia === undefined ? answer : `${answer}, by ${options.outputsVia}`;
    this.path = options.answer === 'url' ? '/api/generate' : '/api/generate_file';
    this.pool = new Pool(url, {
      connections: options.connections,
      keepAliveTimeout: 60_000,
      headersTimeout: CALL_LIMIT_MS,
      bodyTimeout: CALL_LIMIT_MS,
    });
  }

  /** Hanging up (the signal) is an error as well: that of the signal. */
  async run(graph: Graph, signal?: AbortSignal): Promise<void> {
    const answer = await this.pool.request({
      method: 'POST',
      path: this.path,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        workflow_data: graph,
        output_node_id: OUTPUT_NODE,
        outputs_via: this.options.outputsVia,
      }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (answer.statusCode !== 200) {
      throw new Error(`POST ${this.path}: ${answer.statusCode} ${(await answer.body.text()).slice(0, 300)}`);
    }
    if (this.options.answer === 'url') {
      const reply = (await answer.body.json()) as { url?: string; outputs_via?: string };
      if (reply.url === undefined) throw new Error('the reply has no url');
      const { outputsVia = reply.outputs_via } = this.options;
      if (reply.outputs_via !== outputsVia) throw new Error(`the pictures came by ${reply.outputs_via}`);
      return;
    }
    const bytes = await countBytes(answer.body);
    if (bytes === 0 || bytes !== Number(answer.headers['content-length'])) {
      throw new Error(`POST ${this.path}: ${bytes} bytes came`);
    }
  }

  async close(): Promise<void> {
    await this.pool.destroy();
  }
}
