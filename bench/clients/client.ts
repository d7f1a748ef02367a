import type { Readable } from 'node:stream';
import type { Graph } from '../workflows.js';

/** A way to get the files of a workflow. */
export interface Client {
  readonly name: string;
  /** Runs a workflow and takes its picture, or its URL. @throws Error where anything is not as it should be */
  run(graph: Graph): Promise<void>;
  close(): Promise<void>;
}

/** Longest wait for one call; nothing here may hang. Milliseconds. */
export const CALL_LIMIT_MS = 60_000;

/** Reads a body to its end without keeping it. @returns its length in bytes */
export async function countBytes(body: Readable): Promise<number> {
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) bytes += chunk.length;
  return bytes;
}
