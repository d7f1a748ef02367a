import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests that wait behind another one of their connection (HTTP pipelining, RFC 9112, 9.3.2). One more ends the connection. */
export const MAX_PIPELINED = 32;

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

interface Turns {
  busy: boolean;
  waiting: [IncomingMessage, ServerResponse][];
}

/**
 * Handles the requests of one connection one after the other. Node.js hands all pipelined requests over at once, and does not tell the
 * responses in line when their connection closes: the files that they opened would stay open for ever.
 */
export function inTurn(handle: Handle, onClosed: (socket: Socket) => void = () => undefined): Handle {
  const connections = new WeakMap<Socket, Turns>();

  const begin = (turns: Turns, request: IncomingMessage, response: ServerResponse): void => {
    turns.busy = true;
    response.once('close', () => {
      turns.busy = false;
      const next = turns.waiting.shift();
      if (next !== undefined && !request.socket.destroyed) begin(turns, ...next);
    });
    handle(request, response);
  };

  return (request, response) => {
    const { socket } = request;
    let turns = connections.get(socket);
    if (turns === undefined) {
      const fresh: Turns = { busy: false, waiting: [] };
      turns = fresh;
      connections.set(socket, fresh);
      socket.once('close', () => {
        fresh.waiting = [];
        onClosed(socket);
      });
    }
    if (socket.destroyed) return;
    if (!turns.busy) return begin(turns, request, response);
    if (turns.waiting.length >= MAX_PIPELINED) {
      socket.destroy();
      return;
    }
    turns.waiting.push([request, response]);
  };
}
