import type { Exchange, Refusal } from './exchange.types.js';
import type { ConnectionLimits } from './limits.js';

/** Bounds the memory of unfinished bodies, by address and in all. Where it is full, bodies that stand still give way to the others. */
export class BodyMemory {
  private readonly holders = new Set<Exchange>();
  private readonly byNetwork = new Map<string, number>();
  private total = 0;

  constructor(
    private readonly limits: ConnectionLimits,
    private readonly end: (exchange: Exchange, why: Refusal) => void,
  ) {}

  /** @returns false: there is no room, and the request was ended */
  hold(exchange: Exchange, bytes: number): boolean {
    if (exchange.response.headersSent) return false;
    exchange.buffered += bytes;
    if (exchange.buffered <= this.limits.smallBytes) return true;
    // The first bytes were small until now.
    this.count(exchange, this.holders.has(exchange) ? bytes : exchange.buffered);
    this.holders.add(exchange);
    return this.makeRoom(exchange);
  }

  release(exchange: Exchange): void {
    if (this.holders.delete(exchange)) this.count(exchange, -exchange.buffered);
  }

  private makeRoom(exchange: Exchange): boolean {
    const { addressBytes, totalBytes } = this.limits;
    while ((this.byNetwork.get(exchange.network) ?? 0) > addressBytes) {
      const victim = this.idlest(exchange, ({ network }) => network === exchange.network);
      this.end(victim, 'caller_memory');
      if (victim === exchange) return false;
    }
    while (this.total > totalBytes) {
      const victim = this.idlest(exchange, () => true);
      this.end(victim, 'server_memory');
      if (victim === exchange) return false;
    }
    return true;
  }

  /** The one that stands still longest; `otherwise` where all move. */
  private idlest(otherwise: Exchange, among: (exchange: Exchange) => boolean): Exchange {
    let found = otherwise;
    for (const holder of this.holders) {
      const idle = performance.now() - holder.receivedAt > this.limits.slowAfterMs;
      if (idle && among(holder) && holder.receivedAt < found.receivedAt) found = holder;
    }
    return found;
  }

  private count({ network }: Exchange, bytes: number): void {
    this.total += bytes;
    const sum = (this.byNetwork.get(network) ?? 0) + bytes;
    if (sum > 0) this.byNetwork.set(network, sum);
    else this.byNetwork.delete(network);
  }
}
