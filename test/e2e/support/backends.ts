/* oxlint-disable vitest/no-standalone-expect -- these are the steps of tests */
import sharp from 'sharp';
import { expect } from 'vitest';
import { ComfyService } from '../../../src/comfy/index.js';
import { ComfyStandin, type StandinOptions } from '../../comfyui/index.js';
import { Gateway, type GatewayOptions, type Problem, type Reply } from './gateway.js';
import { picture } from './workflows.js';

export const SOON = { interval: 5, timeout: 10_000 };

/** A gateway in front of stand-ins in this process. */
export class Fleet {
  private constructor(
    readonly gateway: Gateway,
    readonly backends: readonly ComfyStandin[],
  ) {}

  /** Starts them, and waits until all are usable. */
  static async start(standins: readonly StandinOptions[], options: GatewayOptions = {}): Promise<Fleet> {
    const fleet = await Fleet.open(standins, options);
    await fleet.allUsable();
    return fleet;
  }

  /** Starts them, whatever becomes of them. */
  static async open(standins: readonly StandinOptions[], options: GatewayOptions = {}): Promise<Fleet> {
    const backends = await Promise.all(standins.map((standin) => ComfyStandin.start(standin)));
    const gateway = await Gateway.start(backends.map(({ url }) => url).join(','), options);
    return new Fleet(gateway, backends);
  }

  async stop(): Promise<void> {
    await this.gateway.stop();
    await Promise.all(this.backends.map((backend) => backend.stop()));
  }

  get service(): ComfyService {
    return this.gateway.app.get(ComfyService);
  }

  async allUsable(): Promise<void> {
    await expect.poll(() => this.service.backends.every(({ usable }) => usable), SOON).toBe(true);
  }

  /** The backend of that number; there must be one. */
  at(index: number): ComfyStandin {
    return this.backends[index] ?? expect.fail(`there is no backend ${index}`);
  }

  /** The backend that runs something, as soon as one does, and the others. */
  async busy(): Promise<[ComfyStandin, ComfyStandin[]]> {
    await expect.poll(() => this.backends.some(({ queue }) => queue.running.length > 0), SOON).toBe(true);
    const busy = this.backends.find(({ queue }) => queue.running.length > 0) ?? expect.fail('nobody is busy');
    return [busy, this.backends.filter((backend) => backend !== busy)];
  }

  /** Prompts that came anywhere. */
  get submissions(): number {
    return this.backends.flatMap(({ requests }) => requests.filter(({ route }) => route === 'POST /prompt'))
      .length;
  }

  /** Prompts that ran to a success anywhere. */
  get rendered(): number {
    return this.backends.flatMap(({ executed }) => executed.filter(({ outcome }) => outcome === 'success'))
      .length;
  }

  generate(workflow: unknown, more: Record<string, unknown> = {}): Promise<Reply> {
    return this.gateway.generate({ workflow_data: workflow, output_node_id: 277, ...more });
  }

  problem(workflow: unknown): Promise<Problem> {
    return this.gateway.problem('/api/generate', { workflow_data: workflow, output_node_id: 277 });
  }

  /** The colour of the picture behind a reply. */
  async colorOf({ url }: Reply): Promise<number> {
    const { bytes } = await this.gateway.fetch(url);
    return (await sharp(bytes).removeAlpha().raw().toBuffer()).readUIntBE(0, 3);
  }

  /** Nothing is left anywhere, every slot is free, and the next call is served. */
  async expectRecovered(): Promise<void> {
    await expect
      .poll(() => this.backends.flatMap(({ queue }) => [...queue.running, ...queue.pending]), SOON)
      .toEqual([]);
    await expect
      .poll(() => this.service.backends.map(({ busySlots }) => busySlots), SOON)
      .toEqual(this.backends.map(() => 0));
    expect(await this.colorOf(await this.generate(picture({ color: 0x12_34_56 })))).toBe(0x12_34_56);
  }
}
