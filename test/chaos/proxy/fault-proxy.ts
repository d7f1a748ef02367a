import net, { type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Link } from './link.js';
import { NO_TROUBLE, type Trouble, type Welcome } from './trouble.js';

const HOST = '127.0.0.1';

/** Milliseconds that our port may be taken by somebody else when we want it back. */
const LISTEN_AGAIN_MS = 3_000;

export interface FaultProxyOptions {
  /** @default a free one */
  port?: number;
  /** For jitter. @default Math.random */
  random?: () => number;
}

/**
 * A TCP proxy that makes trouble on demand: for one connection (`links`), for all that are open, or for those to come.
 * `heal` ends all of it; connections that lost bytes end with it.
 */
export class FaultProxy {
  private readonly open = new Set<Link>();
  private server: net.Server;
  private trouble: Readonly<Trouble> = NO_TROUBLE;
  private welcome: Welcome = 'pass';
  private boundPort = 0;

  private constructor(
    private readonly target: { host: string; port: number },
    private readonly random: () => number,
  ) {
    this.server = this.create();
  }

  static async start(
    target: { host: string; port: number },
    { port = 0, random = Math.random }: FaultProxyOptions = {},
  ): Promise<FaultProxy> {
    const proxy = new FaultProxy(target, random);
    await proxy.listen(port);
    return proxy;
  }

  get port(): number {
    return this.boundPort;
  }

  /** Open connections, oldest first. */
  get links(): readonly Link[] {
    return [...this.open];
  }

  /** Latency, jitter and drip, for connections that are open and for those to come. */
  disturb(trouble: Partial<Trouble>): void {
    this.trouble = { ...this.trouble, ...trouble };
    for (const link of this.open) link.disturb(trouble);
  }

  /** RST to every open connection. @returns how many there were */
  cut(): number {
    const links = this.links;
    for (const link of links) link.cut();
    return links.length;
  }

  /** Every open connection stays open and swallows what it gets; new ones work. */
  swallow(): void {
    for (const link of this.open) link.swallow();
  }

  /** New connections are accepted and never answered. */
  blackHole(): void {
    this.welcome = 'black-hole';
  }

  /** New connections are refused; open ones are left alone. */
  refuse(): void {
    if (!this.server.listening) return;
    // Its callback would wait for all connections to end.
    this.server.close();
    this.server = this.create();
  }

  /** Everything is as it was before any trouble. */
  async heal(): Promise<void> {
    this.trouble = NO_TROUBLE;
    this.welcome = 'pass';
    for (const link of this.open) link.heal();
    if (!this.server.listening) await this.listen(this.boundPort);
  }

  /** Leaves no socket and no timer. */
  async stop(): Promise<void> {
    this.refuse();
    this.cut();
    while (this.open.size > 0) await sleep(5);
  }

  private create(): net.Server {
    return net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.accept(socket));
  }

  private accept(socket: Socket): void {
    const target = this.welcome === 'pass' ? this.target : undefined;
    const link = new Link(socket, target, this.random, () => this.open.delete(link));
    link.disturb(this.trouble);
    this.open.add(link);
  }

  private async listen(port: number): Promise<void> {
    const deadline = performance.now() + LISTEN_AGAIN_MS;
    for (;;) {
      try {
        await listening(this.server, port);
        break;
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await sleep(50);
      }
    }
    this.boundPort = (this.server.address() as net.AddressInfo).port;
  }
}

function listening(server: net.Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, HOST, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
