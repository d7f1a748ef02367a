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

  /** A backend with a free slot, the one with the fewest prompts first. */
  pick(): Backend | undefined {
    let best: Backend | undefined;
    for (const backend of this.backends) {
      if (backend.freeSlots > 0 && (best === undefined || backend.busySlots < best.busySlots)) best = backend;
    }
    return best;
  }

  async close(): Promise<void> {
    await Promise.all(this.backends.map((backend) => backend.close()));
  }
}
