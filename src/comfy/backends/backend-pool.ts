import { merge, type Observable } from 'rxjs';
import type { BackendAddress } from '../../config/index.js';
import type { NodeClass } from '../client/index.js';
import { Backend, type BackendRules } from './backend.js';
import { Durations } from './durations.js';
import { Experience } from './experience.js';
import { LostJobs } from './lost-jobs.js';

/** All ComfyUIs we may use. */
export class BackendPool {
  readonly backends: readonly Backend[];
  /** How long jobs take by their models, learned on all of them together. */
  readonly experience = new Experience();
  /** The same by the shape of the workflow, and for each of them. */
  readonly durations = new Durations();
  private downSince: number | undefined = performance.now();

  constructor(addresses: readonly BackendAddress[], rules: BackendRules) {
    const lostJobs = new LostJobs();
    this.backends = addresses.map((address) => {
      const hasAlternative = () => this.backends.some((other) => other !== backend && other.usable);
      const backend: Backend = new Backend(
        address,
        rules,
        this.experience,
        this.durations,
        hasAlternative,
        lostJobs,
      );
      return backend;
    });
  }

  /** Emits whenever a job might be given out that could not be before. */
  get changed$(): Observable<void> {
    return merge(...this.backends.map(({ changed$ }) => changed$));
  }

  /** Milliseconds since any backend was usable; 0 while one is. */
  get downMs(): number {
    if (this.backends.some(({ usable }) => usable)) {
      this.downSince = undefined;
      return 0;
    }
    this.downSince ??= performance.now();
    return performance.now() - this.downSince;
  }

  /** Why none gets jobs, in a few words for callers, each once. */
  get troubles(): string[] {
    return [...new Set(this.backends.flatMap(({ trouble }) => trouble ?? []))];
  }

  find(name: string): Backend | undefined {
    return this.backends.find((backend) => backend.name === name);
  }

  /** A node class as the first backend that has it describes it; undefined where none has, or none answers. */
  async nodeClass(name: string): Promise<NodeClass | undefined> {
    for (const backend of this.backends) {
      if (backend.phase === 'unreachable') continue;
      const found = await backend.nodeClass(name).catch(() => undefined);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  open(): void {
    for (const backend of this.backends) backend.open();
  }

  /** From now on nothing is stopped anywhere: the next process goes on with what runs. */
  letGo(): void {
    for (const backend of this.backends) backend.letGo();
  }

  async close(): Promise<void> {
    await Promise.all(this.backends.map((backend) => backend.close()));
  }
}
