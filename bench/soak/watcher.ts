import { type Handles, readHandles } from '../processes/handles.js';
import { readMemory } from '../processes/memory.js';
import type { Callers, Count } from './callers.js';

/** The service at one moment, seen from outside. */
export interface Sample extends Handles {
  /** Seconds since the load began. */
  at: number;
  rssMb: number;
  /** What the probes since the last sample took, ms. */
  probes: number[];
  /** How calls since the last sample ended. */
  calls: Count;
}

/** Takes samples of the service. */
export class Watcher {
  private probes: number[] = [];
  private start = performance.now();

  constructor(
    private readonly pid: number,
    private readonly callers: Callers,
  ) {}

  hear(ms: number): void {
    this.probes.push(ms);
  }

  /** From here on the time counts anew, and what came before is dropped. */
  begin(): void {
    this.start = performance.now();
    this.probes = [];
    this.callers.takeCount();
  }

  /** @throws Error when the service is gone */
  async sample(): Promise<Sample> {
    const [memory, handles] = await Promise.all([readMemory(this.pid), readHandles(this.pid)]);
    if (memory === undefined || handles === undefined || Number.isNaN(memory.now)) {
      throw new Error('the service is gone, or this system has no /proc');
    }
    const { probes } = this;
    this.probes = [];
    const at = (performance.now() - this.start) / 1_000;
    return { ...handles, at, rssMb: memory.now, probes, calls: this.callers.takeCount() };
  }
}
