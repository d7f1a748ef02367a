/**
 * Who asks: the network that a request came from, then a space and the `Caller-Id`, where one was sent. The id is only what its sender
 * says, so that it divides the share of a network, and adds nothing to it.
 */
export type CallerKey = string;

/** @param network as `networkOf` tells it @param id the `Caller-Id` */
export function callerKey(network: string, id: string | undefined): CallerKey {
  return id === undefined ? network : `${network} ${id}`;
}

export function networkOfKey(caller: CallerKey): string {
  const space = caller.indexOf(' ');
  return space < 0 ? caller : caller.slice(0, space);
}

/** Who has used up what there is. */
export type Exhausted = 'caller' | 'network' | 'all';

export interface ShareLimits {
  /** Places in all, of one network, and of one caller. */
  total: number;
  network: number;
  caller: number;
}

/** One caller gets three quarters of the places at most, one network seven eighths: others always find some. */
export function shareLimits(total: number): ShareLimits {
  return { total, network: total - Math.floor(total / 8), caller: total - Math.floor(total / 4) };
}

/** Places of one kind, and who holds how many. */
export class Shares {
  private readonly held = new Map<string, number>();
  private count = 0;

  constructor(private readonly limits: ShareLimits) {}

  /** Places that are held. */
  get size(): number {
    return this.count;
  }

  /** Places that a caller holds. */
  of(caller: CallerKey): number {
    return this.held.get(`c ${caller}`) ?? 0;
  }

  /** @returns why a caller gets no place now; undefined: it gets one */
  exhausted(caller: CallerKey): Exhausted | undefined {
    const { total, network, caller: each } = this.limits;
    if (this.count >= total) return 'all';
    if (this.of(caller) >= each) return 'caller';
    return (this.held.get(`n ${networkOfKey(caller)}`) ?? 0) >= network ? 'network' : undefined;
  }

  /** Takes a place, whether there is one or not: see `exhausted`. */
  take(caller: CallerKey): void {
    this.add(caller, 1);
  }

  /** Gives a place back that was taken. */
  release(caller: CallerKey): void {
    this.add(caller, -1);
  }

  private add(caller: CallerKey, places: number): void {
    this.count += places;
    for (const key of [`c ${caller}`, `n ${networkOfKey(caller)}`]) {
      const held = (this.held.get(key) ?? 0) + places;
      if (held > 0) this.held.set(key, held);
      else this.held.delete(key);
    }
  }
}
