import type { Socket } from 'node:net';
import type { Trouble } from './trouble.js';

/** Bytes that one direction holds back before it stops reading. */
const HIGH_WATER = 256 * 1024;

/** Milliseconds between two drops of a drip. */
const DRIP_EVERY_MS = 50;

/** A piece under way; without bytes it is the end of the stream. */
interface Piece {
  bytes: Buffer | undefined;
  due: number;
}

/** One direction of a connection: reads here, writes there, in order, as late and as slowly as `trouble` says. */
export class Pipe {
  private readonly held: Piece[] = [];
  private heldBytes = 0;
  private lastDue = 0;
  private notBefore = 0;
  private timer: NodeJS.Timeout | undefined;
  private blocked = false;
  private swallows = false;
  private over = false;
  private lost = false;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly trouble: () => Readonly<Trouble>,
    private readonly random: () => number,
  ) {
    from.on('data', (bytes: Buffer) => this.take(bytes));
    from.on('end', () => this.take(undefined));
    to.on('drain', () => {
      this.blocked = false;
      this.pump();
    });
  }

  /** Did anything vanish? Then the two ends disagree about the stream, and it can never be healed. */
  get lossy(): boolean {
    return this.lost;
  }

  /** From now on nothing arrives, and the sender does not notice. */
  swallow(): void {
    this.swallows = true;
    this.lost ||= this.held.length > 0;
    this.drop();
  }

  /** Ends `swallow`, and lets go at once of what is held back if the trouble is over. */
  heal(): void {
    this.swallows = false;
    this.notBefore = 0;
    for (const piece of this.held) piece.due = 0;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.pump();
  }

  /** Nothing more happens here. */
  close(): void {
    this.over = true;
    this.drop();
  }

  private take(bytes: Buffer | undefined): void {
    if (this.over) return;
    if (this.swallows) {
      this.lost = true;
      return;
    }
    const { latencyMs, jitterMs } = this.trouble();
    this.lastDue = Math.max(this.lastDue, performance.now() + latencyMs + this.random() * jitterMs);
    this.held.push({ bytes, due: this.lastDue });
    this.heldBytes += bytes?.length ?? 0;
    if (this.heldBytes > HIGH_WATER) this.from.pause();
    this.pump();
  }

  private pump(): void {
    while (!this.over && !this.blocked && this.timer === undefined) {
      const [next] = this.held;
      if (next === undefined) {
        this.from.resume();
        return;
      }
      const wait = Math.max(next.due, this.notBefore) - performance.now();
      if (wait > 0) {
        this.timer = setTimeout(() => {
          this.timer = undefined;
          this.pump();
        }, wait);
        return;
      }
      this.forward(next);
    }
  }

  private forward(piece: Piece): void {
    if (piece.bytes === undefined) {
      this.held.shift();
      this.to.end();
      return;
    }
    const { bytesPerSecond } = this.trouble();
    const room = Math.max(1, Math.floor((bytesPerSecond * DRIP_EVERY_MS) / 1_000));
    const part = piece.bytes.subarray(0, room);
    if (part.length === piece.bytes.length) this.held.shift();
    else piece.bytes = piece.bytes.subarray(room);
    this.heldBytes -= part.length;
    if (Number.isFinite(bytesPerSecond)) this.notBefore = performance.now() + DRIP_EVERY_MS;
    this.blocked = !this.to.write(part);
  }

  private drop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.held.length = 0;
    this.heldBytes = 0;
    // Read on, so that whoever sends sees a line that takes everything.
    if (!this.over) this.from.resume();
  }
}
