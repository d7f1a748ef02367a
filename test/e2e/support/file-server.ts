import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Somebody else's web server, which hands out files, or behaves badly. */
export class FileServer {
  readonly requests: { path: string; headers: IncomingMessage['headers'] }[] = [];
  private readonly answers = new Map<string, Answer>();
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  static async start(host = '127.0.0.1'): Promise<FileServer> {
    const server = createServer();
    const files = new FileServer(server);
    server.on('request', (request, response) => files.answer(request, response));
    server.on('connection', (socket) => {
      files.sockets.add(socket);
      socket.once('close', () => files.sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    return files;
  }

  get url(): string {
    const { address, port } = this.server.address() as AddressInfo;
    return `http://${address}:${port}`;
  }

  /** Connections that are open. */
  get connections(): number {
    return this.sockets.size;
  }

  /** How often a path was asked for. */
  count(path: string): number {
    return this.requests.filter((request) => request.path === path).length;
  }

  /** @returns its URL */
  serve(path: string, bytes: Uint8Array, headers: Record<string, string> = {}): string {
    return this.behave(path, (_, response) => {
      response.writeHead(200, { 'content-length': bytes.length, ...headers }).end(bytes);
    });
  }

  /** @returns its URL */
  behave(path: string, answer: Answer): string {
    this.answers.set(path, answer);
    return `${this.url}${path}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => void this.server.close(() => resolve()));
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '';
    this.requests.push({ path, headers: request.headers });
    const answer = this.answers.get(path);
    if (answer === undefined) response.writeHead(404).end('no');
    else answer(request, response);
  }
}
