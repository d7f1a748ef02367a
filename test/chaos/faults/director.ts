import type { Arena } from '../arena.js';
import { Dice } from '../dice.js';
import type { FaultContext } from './fault.js';
import type { PlannedFault } from './schedule.js';

/** Milliseconds that each fault has its target to itself at least: so that jobs meet it before the next one comes. */
const HOLD_MS = 500;

/** Milliseconds that the service stays away after a SIGKILL, as where something starts it again. */
const SERVICE_DOWN_MS = 300;

export interface DirectorOptions {
  seed: number;
  quick: boolean;
  /** Something went wrong that should not have: a stand-in that does not start again. */
  onBroken: (error: Error) => void;
}

/**
 * Lets happen what is planned: one fault at a time on each target, and never on so many backends that none is left.
 * What cannot begin yet begins as soon as it can.
 */
export class Director {
  private readonly due: PlannedFault[] = [];
  private readonly later: PlannedFault[];
  private readonly running = new Map<
    number | 'bucket' | 'service',
    { fault: PlannedFault; ended: Promise<void> }
  >();
  private readonly end = new AbortController();
  private begun = 0;

  constructor(
    private readonly arena: Arena,
    planned: readonly PlannedFault[],
    private readonly options: DirectorOptions,
  ) {
    this.later = [...planned];
  }

  /** Faults that have begun. */
  get count(): number {
    return this.begun;
  }

  /** What is wrong now, for people. */
  get trouble(): string[] {
    return [...this.running.values()].map(({ fault }) => nameOf(fault));
  }

  /** So many jobs have begun. */
  advance(jobs: number): void {
    while ((this.later[0]?.at ?? Infinity) <= jobs) this.due.push(...this.later.splice(0, 1));
    this.beginDue();
  }

  /** No more jobs will come: what has not begun yet would meet nobody. @returns how many faults that are */
  lastCall(): number {
    return this.due.splice(0).length + this.later.splice(0).length;
  }

  /** Ends what is under way, begins nothing any more, and waits until all of it is over. */
  async stop(): Promise<void> {
    this.lastCall();
    this.end.abort();
    while (this.running.size > 0) await Promise.all([...this.running.values()].map(({ ended }) => ended));
  }

  private beginDue(): void {
    for (const fault of this.due.slice()) {
      const target = this.targetFor(fault);
      if (target === undefined) continue;
      this.due.splice(this.due.indexOf(fault), 1);
      this.begin(fault, target);
    }
  }

  private targetFor(planned: PlannedFault): number | 'bucket' | 'service' | undefined {
    if (planned.target !== 'backend') return this.running.has(planned.target) ? undefined : planned.target;
    const { backends } = this.arena;
    const isOutage = ({ fault }: { fault: PlannedFault }) => fault.target === 'backend' && fault.fault.outage;
    const down = [...this.running.values()].filter(isOutage).length;
    if (planned.fault.outage && down >= backends.length - 1) return undefined;
    for (let step = 0; step < backends.length; step += 1) {
      const index = (planned.backend + step) % backends.length;
      if (!this.running.has(index)) return index;
    }
    return undefined;
  }

  private begin(fault: PlannedFault, target: number | 'bucket' | 'service'): void {
    this.begun += 1;
    const where = typeof target === 'number' ? ` on ${this.arena.backends[target]?.name}` : '';
    const what = `fault ${fault.number}: ${nameOf(fault)}${where}`;
    this.arena.log.write(what);
    const ended = Promise.all([this.carryOut(fault, target), this.pause(HOLD_MS)])
      .then(() => this.arena.log.write(`${what}, over`))
      .catch((error: unknown) => {
        this.arena.log.write(`${what}, failed: ${String(error)}`);
        this.options.onBroken(new Error(what, { cause: error }));
      })
      .finally(() => {
        this.running.delete(target);
        this.beginDue();
      });
    this.running.set(target, { fault, ended });
  }

  private async carryOut(fault: PlannedFault, target: number | 'bucket' | 'service'): Promise<void> {
    const { quick, seed } = this.options;
    const pause = (ms: number) => this.pause(ms);
    const context: FaultContext = { quick, dice: new Dice(seed, `fault ${fault.number}`), pause };
    switch (fault.target) {
      case 'backend': {
        const backend = typeof target === 'number' ? this.arena.backends[target] : undefined;
        if (backend !== undefined) await fault.fault.run(backend, context);
        break;
      }
      case 'bucket':
        await fault.fault.run(this.arena.bucket, context);
        break;
      case 'service':
        await this.arena.service.kill();
        await pause(SERVICE_DOWN_MS);
        await this.arena.service.launch();
        break;
    }
  }

  private pause(ms: number): Promise<void> {
    const { signal } = this.end;
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
    });
  }
}

const nameOf = (planned: PlannedFault): string =>
  planned.target === 'service' ? 'service killed' : planned.fault.name;
