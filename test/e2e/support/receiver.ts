import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

export const SECRET = `whsec_${Buffer.from('a secret of thirty-two bytes, ok').toString('base64')}`;

/**
 * How a receiver answers. `hang`: never. `redirect`: to itself. `break`: 200, and the connection ends within the body. `short`:
 * 200 with a length that never comes. `endless`: 200 and a body without an end. `slam`: the connection ends without an answer.
 */
export type Manner = number | 'hang' | 'redirect' | 'break' | 'short' | 'endless' | 'slam';

/** The body of a webhook, as far as tests look at it. */
export interface Message {
  type: string;
  timestamp: string;
  data: {
    job_id: string;
    job_url: string;
    status: string;
    outputs?: { index: number; url: string; node_id: string }[];
    error?: { code: string; message: string; node_errors?: Record<string, unknown> };
    progress?: { value: number };
    timings?: Record<string, number>;
    attempts?: number;
  };
}

export interface Received {
  id: string;
  message: Message;
  headers: Record<string, string>;
  body: string;
  path: string;
  manner: Manner;
}

/** Somebody's server that is told of jobs: it checks what comes with the public library, and answers as it is told to. */
export class Receiver {
  /** What was signed well, in order. */
  readonly received: Received[] = [];
  /** What was not. */
  readonly forged: string[] = [];
  /** Paths that were asked for with a redirect of ours, or otherwise than by POST. */
  readonly strayed: string[] = [];
  /** How the next calls are answered; then with 200. */
  manners: Manner[] = [];
  manner: (received: Received) => Manner = () => this.manners.shift() ?? 200;

  private constructor(
    private readonly server: Server,
    readonly origin: string,
    private readonly secret: string,
  ) {
    server.on('request', (request, response) => void this.take(request, response));
  }

  static async start(secret = SECRET): Promise<Receiver> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return new Receiver(server, `http://127.0.0.1:${port}`, secret);
  }

  get url(): string {
    return `${this.origin}/hook?token=secret-token`;
  }

  /** The secret of this receiver, as its operator was told how to make it (README, Webhooks). */
  secretFor(pathname: string, secret = this.secret): string {
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
    return `whsec_${createHmac('sha256', key).update(`${this.origin}${pathname}`).digest('base64')}`;
  }

  /** What it said 200 to. */
  get taken(): Message[] {
    return this.received.filter(({ manner }) => manner === 200).map(({ message }) => message);
  }

  of(job: string): Message[] {
    return this.taken.filter(({ data }) => data.job_id === job);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined);
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const body = Buffer.concat(chunks).toString();
    if (request.method !== 'POST' || !request.url?.startsWith('/hook')) {
      this.strayed.push(`${request.method} ${request.url}`);
      response.end();
      return;
    }
    const headers = request.headers as Record<string, string>;
    try {
      const { pathname } = new URL(request.url, this.origin);
      const message = new Webhook(this.secretFor(pathname)).verify(body, headers) as Message;
      const id = headers['webhook-id'] ?? '';
      const received: Received = { id, message, headers, body, path: request.url, manner: 200 };
      received.manner = this.manner(received);
      this.received.push(received);
      this.answer(received.manner, response);
    } catch (error) {
      this.forged.push(String(error));
      response.writeHead(401).end();
    }
  }

  private answer(manner: Manner, response: ServerResponse): void {
    switch (manner) {
      case 'hang':
        return;
      case 'redirect':
        response.writeHead(307, { location: `${this.origin}/elsewhere` }).end();
        return;
      case 'slam':
        response.socket?.destroy();
        return;
      case 'break':
        response.writeHead(200, { 'transfer-encoding': 'chunked' });
        response.write('taken, I say', () => response.socket?.destroy());
        return;
      case 'short':
        response.socket?.end('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nok');
        return;
      case 'endless': {
        response.writeHead(200);
        const more = () => {
          if (response.destroyed) return;
          response.write('x'.repeat(16_384));
          setTimeout(more, 1).unref();
        };
        more();
        return;
      }
      default:
        response.writeHead(manner).end('ok');
    }
  }
}
