import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SocketHub } from '../socket-hub.js';
import type { Context } from './context.js';
import type { Journal } from './journal.js';
import { BodyTooLarge, readBody, sendEmpty, sendJson, sendServerError, sendText } from './respond.js';
import { type JobsApi, match, type Match } from './router.js';

/** Bytes that the fields of a form add to its file. */
const FORM_OVERHEAD = 65_536;

/** What 0.8.0 puts on every answer with `--disable-api-nodes` (38). */
const SECURITY_POLICY =
  "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; frame-src 'self'; object-src 'self';";

function isForm({ headers }: IncomingMessage): boolean {
  return headers['content-type']?.startsWith('multipart/') ?? false;
}

/** Asked by a page of another host or port, where this one is on loopback (32). */
function isForeign({ headers: { host = '', origin } }: IncomingMessage): boolean {
  const from = URL.canParse(origin ?? '') ? new URL(origin ?? '') : undefined;
  const own = URL.canParse(`http://${host}`) ? new URL(`http://${host}`) : undefined;
  if (from === undefined || own === undefined) return false;
  return /^(localhost|127\..*|\[::1\])$/.test(own.hostname) && from.host !== own.host;
}

/** Takes connections, keeps out who has no token, and hands requests to their routes. */
export class HttpServer {
  private server = this.create();
  private readonly sockets = new Set<Socket>();
  private boundPort = 0;

  constructor(
    private readonly context: Context,
    private readonly hub: SocketHub,
    private readonly journal: Journal,
  ) {}

  get port(): number {
    return this.boundPort;
  }

  /** The same port again after the first time. */
  async listen(): Promise<void> {
    const { host, port } = this.context.options;
    if (this.server.listening) return;
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.boundPort || port, host, () => {
        this.server.off('error', reject);
        resolve();
      });
    });
    this.boundPort = (this.server.address() as AddressInfo).port;
  }

  /** New connections are refused; open ones are left alone. */
  async refuse(): Promise<void> {
    if (!this.server.listening) return;
    // The close of http.Server would also end idle connections, and wait for the others.
    net.Server.prototype.close.call(this.server);
    this.server = this.create();
    await Promise.resolve();
  }

  /** Every connection breaks, in the middle of whatever it was doing. */
  async kill(): Promise<void> {
    await this.refuse();
    for (const socket of this.sockets) socket.destroy();
    this.sockets.clear();
  }

  private create(): http.Server {
    const server = http.createServer((request, response) => void this.handle(request, response));
    server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      void this.upgrade(request, socket, head);
    });
    server.keepAliveTimeout = 75_000;
    return server;
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Node would say `Keep-Alive: timeout=75`, which clients go by. aiohttp says nothing; the recordings leave such headers out.
    response.removeHeader('connection');
    try {
      const { path, query } = this.address(request);
      const found =
        path === undefined
          ? { route: 'other' as const, name: '' }
          : match(request.method ?? 'GET', path, this.jobsApi);
      const { apiNodesDisabled, version } = this.context.options;
      if (apiNodesDisabled && version === '0.8.0')
        response.setHeader('Content-Security-Policy', SECURITY_POLICY);
      const limit = this.maxUploadSize + (isForm(request) ? FORM_OVERHEAD : 0);
      const body = request.method === 'POST' ? await readBody(request, limit) : Buffer.alloc(0);
      this.note(request, found, body, query);
      if (this.isUnwelcome(request)) return sendEmpty(response, 403);
      if (!this.mayEnter(request, query)) return sendJson(response, 401, { error: 'unauthorized' });
      if (await this.trapped(found, response)) return;
      await this.answer(request, response, found, query, body);
    } catch (error) {
      if (response.headersSent || response.destroyed) response.destroy();
      else if (error instanceof BodyTooLarge)
        sendText(response, 413, `Maximum request body size ${this.maxUploadSize} exceeded.`);
      else sendServerError(response);
    }
  }

  private get maxUploadSize(): number {
    return this.context.options.maxUploadSize;
  }

  /** Servers after 0.8.0 also refuse what a browser says comes from another site. Source: `origin_middleware.py`. */
  private isUnwelcome(request: IncomingMessage): boolean {
    const crossSite = request.headers['sec-fetch-site'] === 'cross-site';
    return isForeign(request) || (this.context.options.newer && crossSite);
  }

  private async answer(
    request: IncomingMessage,
    response: ServerResponse,
    { route, name, run }: Match,
    query: URLSearchParams,
    body: Buffer,
  ): Promise<void> {
    if (run !== undefined) return run({ request, response, query, body, name }, this.context);
    if (route === 'GET /ws')
      return sendText(response, 400, 'No WebSocket UPGRADE hdr: None\n Can "Upgrade" only to "WebSocket".');
    const { pathname } = new URL(request.url ?? '/', 'http://standin');
    if (pathname === '/' || pathname === `${this.context.options.basePath}/`) {
      return sendText(response, 200, '<!doctype html><title>ComfyUI stand-in</title>', 'text/html');
    }
    // The page's static files answer for all other paths, and chunked (18).
    response.writeHead(404, { 'Content-Type': 'application/octet-stream' });
    response.write('');
    response.end();
  }

  private async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { path, query } = this.address(request);
    const found = path === undefined ? undefined : match('GET', path, this.jobsApi);
    if (found) this.note(request, found, Buffer.alloc(0), query);
    const refuse = (status: string) =>
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    socket.on('error', () => socket.destroy());
    if (found?.route !== 'GET /ws') return void refuse('404 Not Found');
    if (this.isUnwelcome(request)) return void refuse('403 Forbidden');
    if (!this.mayEnter(request, query)) return void refuse('401 Unauthorized');
    const { faults, timers } = this.context;
    const delay = faults.delayOf('GET /ws');
    if (delay > 0) await timers.sleep(delay);
    const trap = faults.takeTrap('GET /ws');
    switch (trap?.kind) {
      case undefined:
        this.hub.accept(request, socket, head, query.get('clientId'));
        return;
      case 'fail':
        refuse(`${trap.status} Refused`);
        return;
      case 'reset':
        socket.destroy();
        return;
      case 'hang':
        return;
    }
  }

  /** Delays and traps of `faults`; true when the request has met its end. */
  private async trapped({ route }: Match, response: ServerResponse): Promise<boolean> {
    const { faults, timers } = this.context;
    const delay = faults.delayOf(route);
    if (delay > 0) await timers.sleep(delay);
    const trap = faults.takeTrap(route);
    if (trap === undefined) return false;
    if (trap.kind === 'reset') response.socket?.resetAndDestroy();
    if (trap.kind !== 'fail') return true;
    if (typeof trap.body === 'object') sendJson(response, trap.status, trap.body);
    else if (trap.body === '') sendEmpty(response, trap.status);
    else sendText(response, trap.status, trap.body);
    return true;
  }

  /** Path below the base path, undefined outside of it. */
  private address(request: IncomingMessage): { path: string | undefined; query: URLSearchParams } {
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    const path = mark < 0 ? url : url.slice(0, mark);
    const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
    const { basePath } = this.context.options;
    if (basePath === '') return { path, query };
    return { path: path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : undefined, query };
  }

  private get jobsApi(): JobsApi {
    const { dialect, options } = this.context;
    return { list: dialect.hasJobs || options.newer, cancel: options.newer };
  }

  private mayEnter(request: IncomingMessage, query: URLSearchParams): boolean {
    const { token } = this.context.options;
    if (token === undefined) return true;
    if ('header' in token) return request.headers[token.header.toLowerCase()] === token.value;
    return query.get(token.query) === token.value;
  }

  private note(request: IncomingMessage, { route }: Match, body: Buffer, query: URLSearchParams): void {
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    this.journal.add({
      method: request.method ?? 'GET',
      route,
      path: mark < 0 ? url : url.slice(0, mark),
      query: Object.fromEntries(query),
      headers: request.headers,
      text: route === 'POST /upload/image' ? '' : body.toString(),
      bytes: body.length,
    });
  }
}
