import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { ComfyService, type JobUpdate } from '../../../src/comfy/index.js';
import { tell } from '../../comfyui/conformance/pictures.js';
import { type Item, readRecording } from '../../comfyui/conformance/recording.js';
import type { Version } from '../../comfyui/dialect.js';
import { ComfyStandin, type Graph, type JournalEntry, type StandinOptions } from '../../comfyui/index.js';
import { Gateway, type GatewayOptions, type Reply } from './gateway.js';

/** A request of a recording that ran a prompt, or was meant to. */
export interface RecordedPrompt {
  /** What the recorder noted before it, e.g. `wrong type`. */
  note: string;
  /** `undefined`: the body had no prompt, or was not JSON. */
  workflow: Graph;
  body: Record<string, unknown> | undefined;
  status: number | undefined;
  reply: { node_errors?: Record<string, RecordedNodeErrors> };
}

export interface RecordedNodeErrors {
  class_type: string;
  errors: { type: string; message: string; details: string; extra_info: { input_name?: string } }[];
}

/* oxlint-disable vitest/no-standalone-expect -- a stage is only used inside of tests */

/** One recording, and what a gateway in front of such a ComfyUI makes of its situation. */
export class Stage {
  /** What happened to each job, in the order of their submission. */
  readonly jobs: { id: string; updates: JobUpdate[] }[] = [];

  private constructor(
    readonly version: Version,
    readonly items: readonly Item[],
    readonly comfy: ComfyStandin,
    readonly gateway: Gateway,
  ) {
    this.jobs = watchAll(gateway);
  }

  static async open(
    version: Version,
    name: string,
    options: GatewayOptions = {},
    standin: StandinOptions = {},
  ): Promise<Stage> {
    const comfy = await ComfyStandin.start({ version, ...standin });
    const gateway = await Gateway.start(comfy.url, options);
    await expect.poll(() => comfy.sockets.count, { interval: 5 }).toBe(1);
    return new Stage(version, readRecording(version, name), comfy, gateway);
  }

  async close(): Promise<void> {
    await this.gateway.stop();
    await this.comfy.stop();
  }

  get legacy(): boolean {
    return this.version === '0.3.11';
  }

  /** Every `POST /prompt` of the recording. */
  get prompts(): RecordedPrompt[] {
    let note = '';
    return this.items.flatMap((item, index) => {
      if (item.dir === '#') note = item.text ?? '';
      if (item.dir !== '>' || item.path !== '/prompt' || item.method !== 'POST') return [];
      const answer = this.items.slice(index).find(({ dir, kind }) => dir === '<' && kind === 'http');
      const reply = (answer?.json ?? {}) as RecordedPrompt['reply'];
      const workflow = item.body?.['prompt'] as Graph;
      return [{ note, workflow, body: item.body, status: answer?.status, reply }];
    });
  }

  get workflow(): Graph {
    return this.prompts[0]?.workflow ?? expect.fail('the recording has no prompt');
  }

  /** Files that ComfyUI handed out, and pictures it sent over the socket; the latter as they lie in their frames. */
  get recordedFiles(): Buffer[] {
    const viewed = this.items.flatMap(({ path, method }, index) => {
      if (method !== 'GET' || path?.startsWith('/view?') !== true) return [];
      const answer = this.items.slice(index + 1).find(({ dir, kind }) => dir === '<' && kind === 'http');
      return answer?.status === 200 && answer.base64 !== undefined
        ? [Buffer.from(answer.base64, 'base64')]
        : [];
    });
    const framed = this.frames.map((frame) =>
      frame.subarray(8 + (frame.readUInt32BE(0) === 4 ? frame.readUInt32BE(4) : 0)),
    );
    return [...viewed, ...framed.filter((bytes) => bytes.subarray(1, 4).toString() === 'PNG')];
  }

  get frames(): Buffer[] {
    return this.items
      .filter(({ dir, kind }) => dir === '<' && kind === 'ws-binary')
      .map(({ base64 }) => Buffer.from(base64 ?? '', 'base64'));
  }

  /** The prompts that ComfyUI got from us. */
  get submissions(): JournalEntry[] {
    return this.comfy.requests.filter(({ route }) => route === 'POST /prompt');
  }

  generate(workflow: unknown, outputNode: string | number | undefined = 277): Promise<Reply> {
    return this.gateway.generate({ workflow_data: workflow, output_node_id: outputNode });
  }

  call(workflow: unknown, outputNode: string | number | undefined = 277): Promise<Response> {
    return this.gateway.post('/api/generate', { workflow_data: workflow, output_node_id: outputNode });
  }

  /** What ComfyUI saved for this job, by name. */
  async savedFor(jobId: string): Promise<Buffer[]> {
    const paths = readdirSync(this.comfy.outputDir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.parentPath.includes(jobId))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
    return Promise.all(paths.map((path) => readFile(path)));
  }

  /** The bytes behind every URL of a reply. */
  async fetchAll(reply: Reply): Promise<Buffer[]> {
    return Promise.all(
      reply.outputs.map(async (output) => {
        const served = await this.gateway.fetch(output.url);
        expect(served.status).toBe(200);
        expect(served.headers.get('content-type')).toBe(output.content_type);
        expect(served.bytes.length).toBe(output.size);
        return served.bytes;
      }),
    );
  }

  /** What ComfyUI got is what was recorded, but for the folder that a job's files go to. */
  expectSubmitted(workflow: Graph, index = 0): void {
    const body = this.submissions[index]?.body as { prompt: Graph; client_id: string; prompt_id: string };
    const prompt = structuredClone(body.prompt);
    for (const node of Object.values(prompt)) {
      const prefix = node.inputs['filename_prefix'];
      if (typeof prefix !== 'string') continue;
      expect(prefix).toMatch(new RegExp(String.raw`^sync/\d{8}/[0-9a-f]{2}/${body.prompt_id}/`));
      node.inputs['filename_prefix'] = prefix.split('/').slice(4).join('/');
    }
    expect(prompt).toEqual(workflow);
    expect(body.client_id).not.toBe('');
  }

  /** Nothing of ours is left there: no prompt, no slot taken. */
  async expectIdle(): Promise<void> {
    await expect.poll(() => this.comfy.queue, { timeout: 5_000 }).toEqual({ running: [], pending: [] });
    const service = this.gateway.app.get(ComfyService);
    await expect.poll(() => service.backends[0]?.busySlots, { timeout: 5_000 }).toBe(0);
  }
}

/** Everything that happens to every job from its first moment on, as a face would see it. */
export function watchAll(
  gateway: Gateway,
  look: (update: JobUpdate) => void = () => undefined,
): Stage['jobs'] {
  const jobs: Stage['jobs'] = [];
  const service = gateway.app.get(ComfyService);
  service.submitted$.subscribe(({ id }) => {
    const updates: JobUpdate[] = [];
    jobs.push({ id, updates });
    service.watch(id).subscribe((update) => {
      updates.push(update);
      look(update);
    });
  });
  return jobs;
}

/** Kind, size and pixels of files; an encoder of another make may have written other bytes. */
export async function tellPictures(files: readonly Buffer[]): Promise<unknown[]> {
  return Promise.all(
    files.map(async (bytes) => {
      const { kind, size, pixels } = await tell(bytes);
      return { kind, size, pixels };
    }),
  );
}
