import { performance } from 'node:perf_hooks';
import type { Client } from './clients/client.js';
import type { Graph } from './workflows.js';

export interface Load {
  callers: number;
  /** Calls altogether, at most. */
  maxCalls: number;
  /** Milliseconds after which no new call begins. */
  maxMs: number;
  workflow: () => Graph;
}

/** What came of it; times in milliseconds. */
export interface Measured {
  latencies: number[];
  elapsedMs: number;
}

/** Callers who each call again as soon as they have their answer. The first error ends it. */
export async function putLoad(client: Client, load: Load): Promise<Measured> {
  const latencies: number[] = [];
  const start = performance.now();
  const deadline = start + load.maxMs;
  let begun = 0;
  let failed = false;
  const caller = async () => {
    while (!failed && begun < load.maxCalls && performance.now() < deadline) {
      begun += 1;
      const at = performance.now();
      try {
        await client.run(load.workflow());
      } catch (error) {
        failed = true;
        throw error;
      }
      latencies.push(performance.now() - at);
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: load.callers }, caller));
  for (const end of ends) if (end.status === 'rejected') throw asError(end.reason, client.name);
  return { latencies, elapsedMs: performance.now() - start };
}

/**
 * Measures clients in turns, there and back (A B B A), so that whatever else the machine does hits all of them alike.
 * @returns for each client its measurements, one a round
 */
export async function takeTurns(
  clients: readonly Client[],
  rounds: number,
  load: Load,
): Promise<Measured[][]> {
  const measured: Measured[][] = clients.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    const there = clients.map((_, index) => index);
    const results: Measured[] = clients.map(() => ({ latencies: [], elapsedMs: 0 }));
    for (const index of [...there, ...there.toReversed()]) {
      const client = clients[index];
      const result = results[index];
      if (client === undefined || result === undefined) continue;
      const { latencies, elapsedMs } = await putLoad(client, load);
      result.latencies.push(...latencies);
      result.elapsedMs += elapsedMs;
    }
    for (const [index, result] of results.entries()) measured[index]?.push(result);
  }
  return measured;
}

function asError(reason: unknown, who: string): Error {
  return new Error(`${who}: ${reason instanceof Error ? reason.message : String(reason)}`, { cause: reason });
}
