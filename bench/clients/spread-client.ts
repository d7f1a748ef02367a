import type { Graph } from '../workflows.js';
import type { BareClient } from './bare-client.js';
import type { Client } from './client.js';

/** Which of several ComfyUIs the next job goes to. `unfinished`: what each of them still has of ours. */
export type Spread = (unfinished: readonly number[]) => number;

/** One after the other, as nginx does without being told otherwise. */
export function roundRobin(): Spread {
  let next = -1;
  return (unfinished) => {
    next = (next + 1) % unfinished.length;
    return next;
  };
}

/** The one with the fewest unfinished jobs, in turn among equals: the best that `least_conn` could ever do. */
export function leastBusy(): Spread {
  let last = -1;
  return (unfinished) => {
    const fewest = Math.min(...unfinished);
    for (let step = 1; step <= unfinished.length; step += 1) {
      const index = (last + step) % unfinished.length;
      if (unfinished[index] === fewest) {
        last = index;
        break;
      }
    }
    return Math.max(0, last);
  };
}

/** Several ComfyUIs behind a rule that knows nothing of models; each job is submitted at once. */
export class SpreadClient implements Client {
  private readonly unfinished: number[];

  constructor(
    readonly name: string,
    private readonly clients: readonly BareClient[],
    private readonly spread: Spread,
  ) {
    this.unfinished = clients.map(() => 0);
  }

  async run(graph: Graph): Promise<void> {
    const index = this.spread(this.unfinished);
    const client = this.clients[index];
    if (client === undefined) throw new Error(`there is no ComfyUI number ${index}`);
    this.count(index, 1);
    try {
      await client.run(graph);
    } finally {
      this.count(index, -1);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.close()));
  }

  private count(index: number, change: number): void {
    this.unfinished[index] = (this.unfinished[index] ?? 0) + change;
  }
}
