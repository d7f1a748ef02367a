import { WebSocket } from 'ws';
import type { ComfyStandin, Graph, HistoryEntry } from './index.js';

/** A client just good enough for the specs of this folder. */
export class SpecClient {
  readonly events: { type: string; data: Record<string, unknown> }[] = [];
  readonly binaries: Buffer[] = [];
  pongs = 0;
  closed: number | undefined;

  private constructor(
    private readonly comfy: ComfyStandin,
    readonly id: string,
    readonly ws: WebSocket,
  ) {
    ws.on('message', (data: Buffer, binary: boolean) => {
      if (binary) this.binaries.push(data);
      else this.events.push(JSON.parse(data.toString()) as (typeof this.events)[number]);
    });
    ws.on('pong', () => this.pongs++);
    ws.on('close', (code) => (this.closed = code));
    ws.on('error', () => undefined);
  }

  static async connect(comfy: ComfyStandin, id = 'spec'): Promise<SpecClient> {
    const ws = new WebSocket(`${comfy.url.replace('http', 'ws')}/ws?clientId=${id}`, {
      perMessageDeflate: false,
    });
    const client = new SpecClient(comfy, id, ws);
    await new Promise((resolve, reject) => {
      ws.once('open', resolve);
      ws.once('error', reject);
    });
    return client;
  }

  types(): string[] {
    return this.events.map(({ type }) => type);
  }

  async submit(prompt: Graph, more: object = {}): Promise<string> {
    const body = JSON.stringify({ prompt, client_id: this.id, ...more });
    const response = await fetch(`${this.comfy.url}/prompt`, { method: 'POST', body });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    return ((await response.json()) as { prompt_id: string }).prompt_id;
  }

  /** Submits and waits for the end. */
  async run(prompt: Graph, more: object = {}): Promise<HistoryEntry> {
    const id = await this.submit(prompt, more);
    return eventually(() => this.comfy.history.get(id));
  }

  close(): void {
    this.ws.terminate();
  }
}

/** Waits until `look` finds something. */
export async function eventually<T>(look: () => T | undefined | false, ms = 4000): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error('it never came');
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}

/** EmptyImage → SaveImage. */
export function simple(color = 1, prefix = 'gw'): Graph {
  return {
    '1': { class_type: 'EmptyImage', inputs: { width: 64, height: 64, batch_size: 1, color } },
    '9': { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: prefix } },
  };
}

/** EmptyImage → ProbeSlowImage → PreviewImage. */
export function slow(steps: number, delay_ms = 20, preview = false): Graph {
  return {
    '1': { class_type: 'EmptyImage', inputs: { width: 32, height: 32, batch_size: 1, color: 7 } },
    '2': {
      class_type: 'ProbeSlowImage',
      inputs: { image: ['1', 0], steps, delay_ms, preview, salt: Math.floor(Math.random() * 1e9) },
    },
    '9': { class_type: 'PreviewImage', inputs: { images: ['2', 0] } },
  };
}

export const textToImage = (text: string, seed: number, side = 128, steps = 2): Graph => ({
  '3': {
    class_type: 'KSampler',
    inputs: {
      seed,
      steps,
      cfg: 4,
      sampler_name: 'euler',
      scheduler: 'normal',
      denoise: 1,
      model: ['4', 0],
      positive: ['6', 0],
      negative: ['7', 0],
      latent_image: ['5', 0],
    },
  },
  '4': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'random-sd15.safetensors' } },
  '5': { class_type: 'EmptyLatentImage', inputs: { width: side, height: side, batch_size: 1 } },
  '6': { class_type: 'CLIPTextEncode', inputs: { text, clip: ['4', 1] } },
  '7': { class_type: 'CLIPTextEncode', inputs: { text: '', clip: ['4', 1] } },
  '8': { class_type: 'VAEDecode', inputs: { samples: ['3', 0], vae: ['4', 2] } },
  '9': { class_type: 'SaveImage', inputs: { images: ['8', 0], filename_prefix: 'ComfyUI' } },
});
