import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from './clients/client.js';
import type { Measured } from './load.js';
import type { Graph } from './workflows.js';

/** A job, and when its caller comes: ms after the first. */
export interface Arrival {
  graph: Graph;
  atMs: number;
}

/**
 * Callers who come when they come, however long the others wait. Latency counts from the moment that somebody was to
 * come, so that a late start of ours is not forgotten. @throws Error the first of all, when every call is over
 */
export async function putArrivals(client: Client, arrivals: readonly Arrival[]): Promise<Measured> {
  const latencies: number[] = [];
  const start = performance.now();
  const calls = arrivals.map(async ({ graph, atMs }) => {
    await sleep(atMs);
    await client.run(graph);
    latencies.push(performance.now() - start - atMs);
  });
  const ends = await Promise.allSettled(calls);
  for (const end of ends) {
    if (end.status === 'rejected') throw new Error(`${client.name}: ${String(end.reason)}`);
  }
  return { latencies, elapsedMs: performance.now() - start };
}
