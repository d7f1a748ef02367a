import { filter, map, merge, type Observable } from 'rxjs';
import type { BackendAddress } from '../../config/index.js';
import type { ClientLimits } from '../client/index.js';
import { Backend } from './backend.js';

/** All ComfyUIs we may use. */
export class BackendPool {
  readonly backends: readonly Backend[];
  private downSince: number | undefined = Date.now();

  constructor(addresses: readonly BackendAddress[], slots: number, limits?: ClientLimits) {
    this.backends = addresses.map((address) => new Backend(address, slots, limits));
  }

  /** Emits whenever a job might be given out that could not be before. */
  get capacity$(): Observable<void> {
    return merge(
      ...this.backends.flatMap((backend) => [
        backend.freed$,
        backend.connected$.pipe(
          filter((connected) => connected),
          map(() => undefined),
        ),
      ]),
    );
  }

  /** Milliseconds since any backend was usable; 0 while one is. */
  get downMs(): number {
    if (this.backends.some(({ connected }) => connected)) {
      this.downSince = undefined;
      return 0;
    }
    this.downSince ??= Date.now();
    return Date.now() - this.downSince;
  }

  open(): void {
    for (const backend of this.backends) backend.open();
  }

  /** A backend with a free slot: the one with the fewest prompts, among equals the one that has waited longest. */
  pick(): Backend | undefined {
    const [best] = this.backends
      .filter(({ freeSlots }) => freeSlots > 0)
      .sort((a, b) => a.busySlots - b.busySlots || a.lastStart - b.lastStart);
    return best;
  }

  async close(): Promise<void> {
    await Promise.all(this.backends.map((backend) => backend.close()));
  }
}
