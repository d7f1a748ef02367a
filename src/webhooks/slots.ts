/** Hosts remembered as failing; the oldest go first. */
const MAX_FAILING = 1_000;

export interface SlotLimits {
  /** Calls at a time. */
  total: number;
  /** Calls to one host at a time. */
  perHost: number;
}

/** How many calls may be under way: so many in all, fewer to one host, and one to a host that failed last. */
export class Slots {
  private readonly busy = new Map<string, number>();
  private readonly failing = new Set<string>();
  private taken = 0;

  constructor(private readonly limits: SlotLimits) {}

  get free(): boolean {
    return this.taken < this.limits.total;
  }

  /** Hosts that get no further call now. */
  get fullHosts(): string[] {
    return [...this.busy.keys()].filter((host) => !this.hasRoom(host));
  }

  hasRoom(host: string): boolean {
    return (this.busy.get(host) ?? 0) < (this.failing.has(host) ? 1 : this.limits.perHost);
  }

  take(host: string): void {
    this.taken += 1;
    this.busy.set(host, (this.busy.get(host) ?? 0) + 1);
  }

  /** @param well undefined: nobody can tell */
  give(host: string, well: boolean | undefined): void {
    this.taken -= 1;
    const left = (this.busy.get(host) ?? 1) - 1;
    if (left === 0) this.busy.delete(host);
    else this.busy.set(host, left);
    if (well === undefined) return;
    this.failing.delete(host);
    if (well) return;
    this.failing.add(host);
    const [oldest] = this.failing;
    if (this.failing.size > MAX_FAILING && oldest !== undefined) this.failing.delete(oldest);
  }
}
