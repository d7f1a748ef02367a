import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a request meets: true where it has been answered in place of the server; `lost` where its answer is to get lost. */
export type Meddling = (request: IncomingMessage, response: ServerResponse) => boolean | 'lost';

/** An HTTP proxy before a gateway that can answer for it, and break what is under way. */
export class Meddler {
  meddle: Meddling = () => false;
  /** `METHOD /path` of each request that came, the query left out; and its headers. */
  readonly seen: { what: string; headers: IncomingMessage['headers'] }[] = [];
  private readonly answers = new Map<ServerResponse, string>();

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  /** @param basePath below which it answers, as reverse proxies do, e.g. `/comfy` */
  static async start(target: string, basePath = ''): Promise<Meddler> {
    const server = createServer((incoming, outgoing) => meddler.pass(target, basePath, incoming, outgoing));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const meddler = new Meddler(
      server,
      `http://127.0.0.1:${(server.address() as AddressInfo).port}${basePath}`,
    );
    return meddler;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Breaks the connections whose answers to such requests are under way. @returns how many there were */
  cut(path: RegExp): number {
    const found = [...this.answers].filter(([answer, url]) => path.test(url) && answer.headersSent);
    for (const [answer] of found) answer.destroy();
    return found.length;
  }

  private pass(target: string, basePath: string, incoming: IncomingMessage, outgoing: ServerResponse): void {
    const url = incoming.url ?? '/';
    this.seen.push({ what: `${incoming.method} ${url.split('?')[0]}`, headers: incoming.headers });
    this.answers.set(outgoing, url);
    outgoing.once('close', () => this.answers.delete(outgoing));
    if (!url.startsWith(`${basePath}/`)) {
      outgoing.writeHead(404, { 'content-type': 'text/html' }).end('<html>nginx</html>');
      return;
    }
    const meddled = this.meddle(incoming, outgoing);
    if (meddled === true) return;
    const { method, headers } = incoming;
    const onward = request(`${target}${url.slice(basePath.length)}`, { method, headers, agent: false });
    onward.once('response', (answer) => {
      if (meddled === 'lost') return void outgoing.destroy();
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      outgoing.flushHeaders();
      answer.pipe(outgoing);
      answer.once('error', () => outgoing.destroy());
    });
    onward.once('error', () => outgoing.destroy());
    outgoing.once('close', () => onward.destroy());
    incoming.pipe(onward);
  }
}
