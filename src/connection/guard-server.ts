import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { callerAddress, type TrustsProxy } from './address.js';
import { ConnectionShares, maxConnections } from './connection-shares.js';
import type { Exchange, Refusal } from './exchange.types.js';
import { Exchanges } from './exchanges.js';
import { inTurn } from './in-turn.js';
import type { ConnectionLimits } from './limits.js';

export interface GuardOptions {
  limits: ConnectionLimits;
  trusts: TrustsProxy;
  /** Answers a request that is ended; its connection is closed afterwards. */
  refuse: (exchange: Exchange, why: Refusal) => void;
}

/**
 * Guards a server against what callers do with their connections: each network has a share of them, requests are handled in turn, and those that stand still end. It
 * stands before all listeners, those that are added later included.
 */
export function guardServer(server: Server, { limits, trusts, refuse }: GuardOptions): void {
  const exchanges = new Exchanges(limits, refuse);
  const connections = new ConnectionShares(maxConnections(), trusts);
  const emit = server.emit.bind(server) as (event: string, ...args: unknown[]) => boolean;
  const handle = inTurn((request, response) => {
    exchanges.begin(request, response, callerAddress(request, trusts));
    emit('request', request, response);
  });
  server.emit = ((event: string, ...args: unknown[]) => {
    if (event === 'connection' && !connections.admit(args[0] as Socket)) return true;
    if (event !== 'request') return emit(event, ...args);
    handle(...(args as [IncomingMessage, ServerResponse]));
    return true;
  }) as typeof server.emit;
  server.once('close', () => exchanges.close());
}
