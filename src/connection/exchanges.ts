import type { IncomingMessage, ServerResponse } from 'node:http';
import { BodyMemory } from './body-memory.js';
import { networkOf } from './address.js';
import type { Exchange, Refusal } from './exchange.types.js';
import type { ConnectionLimits } from './limits.js';

/** Where `holdBytes` finds the share of a request. */
const HOLD = Symbol('hold');

type Held = IncomingMessage & { [HOLD]?: (bytes: number) => boolean };

/**
 * Counts bytes of a body that its reader holds in memory. JSON is counted by itself.
 * @returns false: there is no room, and the request was answered
 */
export function holdBytes(request: IncomingMessage, bytes: number): boolean {
  return (request as Held)[HOLD]?.(bytes) ?? true;
}

/** Requests under way: ends those whose callers neither send nor read, and bounds what their bodies hold. */
export class Exchanges {
  private readonly open = new Set<Exchange>();
  private readonly memory: BodyMemory;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly limits: ConnectionLimits,
    private readonly refuse: (exchange: Exchange, why: Refusal) => void,
  ) {
    this.memory = new BodyMemory(limits, (exchange, why) => this.end(exchange, why));
  }

  /** @param address of the caller */
  begin(request: IncomingMessage, response: ServerResponse, address: string | undefined): void {
    const { socket } = request;
    const now = performance.now();
    const exchange: Exchange = {
      request,
      response,
      network: networkOf(address),
      buffered: 0,
      received: socket.bytesRead,
      receivedAt: now,
      sent: 0,
      sentAt: now,
    };
    this.open.add(exchange);
    const hold = (bytes: number) => this.memory.hold(exchange, bytes);
    (request as Held)[HOLD] = hold;
    if (isHeld(request)) countBody(request, hold);
    response.once('close', () => {
      this.open.delete(exchange);
      this.memory.release(exchange);
      // What is left of a body that nobody reads.
      if (!request.complete) setTimeout(() => socket.destroy(), this.limits.lingerMs).unref();
    });
    this.timer ??= setInterval(() => this.look(), this.limits.lookEveryMs).unref();
  }

  close(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private look(): void {
    if (this.open.size === 0) return this.close();
    const now = performance.now();
    const slow = new Map<string, Exchange[]>();
    for (const exchange of this.open) {
      if (readerStalls(exchange, now, this.limits)) exchange.request.socket.destroy();
      else if (!isReceiving(exchange)) exchange.receivedAt = now;
      else {
        const idleMs = noteReceived(exchange, now, this.limits.leastBytes);
        if (idleMs > this.limits.bodyIdleMs) this.end(exchange, 'body_stalled');
        else if (idleMs > this.limits.slowAfterMs)
          slow.set(exchange.network, [...(slow.get(exchange.network) ?? []), exchange]);
      }
    }
    for (const bodies of slow.values()) {
      bodies.sort((a, b) => a.receivedAt - b.receivedAt);
      for (const body of bodies.slice(0, Math.max(0, bodies.length - this.limits.slowBodies)))
        this.end(body, 'body_stalled');
    }
  }

  private end(exchange: Exchange, why: Refusal): void {
    this.open.delete(exchange);
    this.memory.release(exchange);
    this.refuse(exchange, why);
  }
}

/** Does a parser hold the whole body? Forms are streamed, and count what they hold by themselves. */
function isHeld({ headers }: IncomingMessage): boolean {
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return hasBody && !/^multipart\//i.test(headers['content-type'] ?? '');
}

/** `push` is how Node's parser hands bytes over; a listener for `data` would start the flow. */
function countBody(request: IncomingMessage, hold: (bytes: number) => boolean): void {
  const push = request.push.bind(request);
  request.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
    if (chunk !== null && !hold(chunk.length)) return false;
    return push(chunk, encoding);
  };
}

/** Bytes that wait here are not the caller's delay. */
function isReceiving({ request, response }: Exchange): boolean {
  return !request.complete && !response.headersSent && request.readableLength === 0;
}

/** @returns milliseconds without progress; a few bytes are none */
function noteReceived(exchange: Exchange, now: number, leastBytes: number): number {
  const { bytesRead } = exchange.request.socket;
  if (bytesRead - exchange.received >= leastBytes) {
    exchange.received = bytesRead;
    exchange.receivedAt = now;
  }
  return now - exchange.receivedAt;
}

/** Has the caller taken less than `readLeastBytes` of what waits for it within `readIdleMs`? A trickle counts as a stall. */
function readerStalls(
  exchange: Exchange,
  now: number,
  { readIdleMs, readLeastBytes }: ConnectionLimits,
): boolean {
  const { socket } = exchange.request;
  const waits = exchange.response.headersSent && socket.writableLength > 0;
  // What was written and not accepted by the system is counted in both.
  const sent = socket.bytesWritten - socket.writableLength;
  if (!waits || sent - exchange.sent >= readLeastBytes) {
    exchange.sent = sent;
    exchange.sentAt = now;
  }
  return now - exchange.sentAt > readIdleMs;
}
