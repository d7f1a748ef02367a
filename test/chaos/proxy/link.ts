import net, { type Socket } from 'node:net';
import { Pipe } from './pipe.js';
import { NO_TROUBLE, type Trouble } from './trouble.js';

/** One connection through the proxy: the socket of who called, and ours to the server. */
export class Link {
  private readonly server: Socket | undefined;
  private readonly pipes: Pipe[] = [];
  private trouble: Readonly<Trouble> = NO_TROUBLE;
  private swallows = false;
  /** One end went away while nothing passed: the other does not know yet. */
  private halfClosed = false;
  private ended = false;

  /**
   * @param target undefined: a black hole; whatever comes is read and forgotten
   * @param onEnd when both sockets are gone
   */
  constructor(
    private readonly caller: Socket,
    target: { host: string; port: number } | undefined,
    random: () => number,
    private readonly onEnd: () => void,
  ) {
    const trouble = () => this.trouble;
    if (target === undefined) {
      this.swallows = true;
      this.halfClosed = true;
      caller.resume();
    } else {
      const server = net.connect({ ...target, allowHalfOpen: true, noDelay: true });
      this.server = server;
      this.pipes.push(new Pipe(caller, server, trouble, random), new Pipe(server, caller, trouble, random));
    }
    for (const socket of this.sockets) {
      // Always followed by 'close'.
      socket.on('error', () => undefined);
      socket.on('close', (hadError) => this.lose(hadError));
    }
  }

  disturb(trouble: Partial<Trouble>): void {
    this.trouble = { ...this.trouble, ...trouble };
  }

  /** Half-open: both sockets stay, and nothing passes any more in either direction. */
  swallow(): void {
    this.swallows = true;
    for (const pipe of this.pipes) pipe.swallow();
  }

  /** RST to both sides. */
  cut(): void {
    for (const pipe of this.pipes) pipe.close();
    for (const socket of this.sockets) {
      // Node loses a socket for good whose end is on its way out and that is reset then.
      const ending = socket.writableEnded && !socket.writableFinished;
      if (socket.connecting || ending) socket.destroy();
      else socket.resetAndDestroy();
    }
  }

  /** Passes bytes on as if nothing had been; a stream that lost some is cut, as the next packet on a real line would be. */
  heal(): void {
    this.trouble = NO_TROUBLE;
    this.swallows = false;
    if (this.halfClosed || this.pipes.some(({ lossy }) => lossy)) this.cut();
    else for (const pipe of this.pipes) pipe.heal();
  }

  private get sockets(): Socket[] {
    return this.server === undefined ? [this.caller] : [this.caller, this.server];
  }

  private lose(hadError: boolean): void {
    const gone = this.sockets.every(({ destroyed }) => destroyed);
    if (gone && !this.ended) {
      this.ended = true;
      for (const pipe of this.pipes) pipe.close();
      this.onEnd();
    }
    if (gone) return;
    if (this.swallows) this.halfClosed = true;
    // After an end in both directions the other one closes by itself, once it has got everything.
    else if (hadError) this.cut();
  }
}
