import { once } from 'node:events';
import type { IncomingMessage, Server as HttpServer } from 'node:http';
import type { Duplex } from 'node:stream';
import type { INestApplicationContext } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { Namespace, type Server, type ServerOptions } from 'socket.io';
import { callerAddress, networkOf, type TrustsProxy } from '../connection/index.js';
import { hostProblem, isAllowedOrigin, type KnownHosts, type OriginRules } from '../request/index.js';
import { callerKey, type CallerKey } from '../shares/index.js';

/** Milliseconds that clients have to take their last messages, and then to answer our goodbye. */
const LAST_WORDS_MS = 1_000;
const GOODBYE_MS = 1_000;

/** Milliseconds that callers of every kind have to take the rest of their answers. */
const LAST_ANSWERS_MS = 8_000;

const CALLER = Symbol('caller');

type Asked = IncomingMessage & { [CALLER]?: CallerKey };

/** Who opened a connection. */
export function callerOf(request: IncomingMessage): CallerKey {
  return (request as Asked)[CALLER] ?? networkOf(request.socket.remoteAddress);
}

/** Socket.IO for pages of the allowed origins; closes in bounded time, whatever its clients do. */
export class ProgressIoAdapter extends IoAdapter {
  private readonly upgraded = new Set<Duplex>();

  constructor(
    app: INestApplicationContext,
    private readonly rules: OriginRules,
    private readonly hosts: KnownHosts,
    private readonly trusts: TrustsProxy = () => false,
  ) {
    super(app);
  }

  override createIOServer(port: number, options?: Partial<ServerOptions>): Server {
    const { origins } = this.rules;
    const http = this.httpServer as HttpServer;
    http.on('upgrade', (_request, socket) => {
      this.upgraded.add(socket);
      socket.once('close', () => this.upgraded.delete(socket));
    });
    const mine: Partial<ServerOptions> = {
      ...options,
      ...(origins === undefined ? {} : { cors: { origin: origins === '*' ? origins : [...origins] } }),
      allowRequest: (request, decide) => {
        const known = hostProblem(request, this.hosts) === undefined;
        // While the connection tells its address.
        (request as Asked)[CALLER] = this.callerOf(request);
        decide(null, known && isAllowedOrigin(request, this.rules));
      },
    };
    return super.createIOServer(port, mine as ServerOptions);
  }

  private callerOf(request: IncomingMessage): CallerKey {
    const id = request.headers['caller-id'];
    const address = callerAddress(request, this.trusts);
    return callerKey(networkOf(address), id === undefined ? undefined : String(id).slice(0, 128));
  }

  /** Called for the server and each of its namespaces, which close with it. */
  override async close(server: Server | Namespace): Promise<void> {
    if (server instanceof Namespace) return;
    const open = [...server.of('/progress').sockets.values()].map(({ conn }) => conn);
    // Closing drops what is not on its way yet.
    const limit = AbortSignal.timeout(LAST_WORDS_MS);
    const lastWords = open.map(async (conn) => {
      while (conn.readyState === 'open' && conn['writeBuffer'].length > 0) {
        await Promise.race([once(conn, 'drain', { signal: limit }), once(conn, 'close', { signal: limit })]);
      }
    });
    await Promise.allSettled(lastWords);
    // A client that does not answer the goodbye would keep the connection, and the process with it.
    const force = setTimeout(() => {
      for (const socket of this.upgraded) socket.destroy();
    }, GOODBYE_MS);
    // So would a caller who reads no more: Socket.IO closes the HTTP server too, and waits for all its connections.
    const forceAll = setTimeout(() => (this.httpServer as HttpServer).closeAllConnections(), LAST_ANSWERS_MS);
    await super.close(server);
    clearTimeout(force);
    clearTimeout(forceAll);
  }
}
