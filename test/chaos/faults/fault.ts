import type { Backend, Bucket } from '../arena.js';
import type { Dice } from '../dice.js';

/** What a fault is done with. */
export interface FaultContext {
  dice: Dice;
  /** Shorter, and nothing that only the service's longest time limits end. */
  quick: boolean;
  /** Waits; less once the run is over. */
  pause: (ms: number) => Promise<void>;
}

/** Trouble with one ComfyUI. Whatever begins is ended by it as well. */
export interface BackendFault {
  name: string;
  /** No job can be finished there meanwhile. */
  outage: boolean;
  run: (backend: Backend, context: FaultContext) => Promise<void>;
}

export interface BucketFault {
  name: string;
  run: (bucket: Bucket, context: FaultContext) => Promise<void>;
}

/**
 * Milliseconds that something lasts: moments mostly, and now and then longer than the service's own limits.
 * @param longestMs of the long ones
 */
export function lasting({ dice, quick }: FaultContext, longestMs = 35_000): number {
  if (quick) return dice.between(500, 2_000);
  return dice.chance(0.85) ? dice.between(500, 4_000) : dice.between(8_000, longestMs);
}
