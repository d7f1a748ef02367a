import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { randomUUID } from 'node:crypto';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import type { Dialect } from './dialect.js';
import { dumps, stringify } from './python.js';
import { isObject, type JsonObject } from './types.js';

interface Connection {
  readonly ws: WebSocket;
  readonly socket: Duplex;
  readonly clientId: string;
  readonly deflated: boolean;
  features: JsonObject;
  /** Half-open: nothing is read, nothing sent, and the server does not know. */
  muted: boolean;
}

/** The WebSockets of one server. Events go to the socket that last opened with a client id; only that one is known. */
export class SocketHub {
  /** The client and node that run now: a socket opened with that client id hears of it (09). */
  running: { clientId: string; node: string } | undefined | '';
  /** Event types that never arrive. */
  readonly lost = new Map<string, number>();
  private readonly open = new Set<Connection>();
  private readonly known = new Map<string, Connection>();
  private readonly server: WebSocketServer;

  constructor(
    private readonly dialect: Dialect,
    private readonly status: () => JsonObject,
  ) {
    // aiohttp takes compression when it is offered and then compresses every frame; pongs are ours, to withhold them.
    this.server = new WebSocketServer({
      noServer: true,
      perMessageDeflate: { threshold: 0 },
      autoPong: false,
    });
  }

  accept(request: IncomingMessage, socket: Duplex, head: Buffer, clientId: string | null): void {
    this.server.handleUpgrade(request, socket, head, (ws) => this.opened(ws, socket, clientId));
  }

  connections(): { clientId: string; deflated: boolean; muted: boolean }[] {
    return [...this.open].map(({ clientId, deflated, muted }) => ({ clientId, deflated, muted }));
  }

  wantsTaggedPreviews(clientId: string): boolean {
    return this.known.get(clientId)?.features['supports_preview_metadata'] === true;
  }

  send(clientId: string, type: string, data: unknown): void {
    const connection = this.known.get(clientId);
    if (connection === undefined || this.loses(type)) return;
    deliver(connection, stringify({ type, data }));
  }

  broadcast(type: string, data: unknown): void {
    if (this.known.size === 0 || this.loses(type)) return;
    const text = stringify({ type, data });
    for (const connection of this.known.values()) deliver(connection, text);
  }

  /** Type 1: image format (1 JPEG, 2 PNG), image (06a, 13). */
  sendPreview(clientId: string | undefined, image: Buffer, format: string): void {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(1, 0);
    head.writeUInt32BE(format === 'image/png' ? 2 : 1, 4);
    if (clientId === undefined) this.broadcastBinary(head, image);
    else this.sendBinary(clientId, head, image);
  }

  /** Type 3: length of the node's id, its id, a text; to every socket unless one is named (26). */
  sendText(clientId: string | undefined, node: string, text: string): void {
    const id = Buffer.from(node);
    const head = Buffer.alloc(8);
    head.writeUInt32BE(3, 0);
    head.writeUInt32BE(id.length, 4);
    const parts = [head, id, Buffer.from(text)];
    if (clientId === undefined) this.broadcastBinary(...parts);
    else this.sendBinary(clientId, ...parts);
  }

  /** Type 4: length of the metadata, metadata, image (06b, 13b). */
  sendTaggedPreview(clientId: string | undefined, image: Buffer, metadata: JsonObject): void {
    if (clientId === undefined) return;
    const text = Buffer.from(dumps(metadata));
    const head = Buffer.alloc(8);
    head.writeUInt32BE(4, 0);
    head.writeUInt32BE(text.length, 4);
    this.sendBinary(clientId, head, text, image);
  }

  /** Cuts the TCP connections; nobody says goodbye. */
  drop(): void {
    for (const { ws } of this.open) ws.terminate();
  }

  /** Closes from the server's side with a close frame. */
  close(code: number, reason: string): void {
    for (const { ws } of this.open) ws.close(code, reason);
  }

  mute(count: number): void {
    for (const connection of [...this.open].filter(({ muted }) => !muted).slice(0, count)) {
      connection.muted = true;
      connection.ws.pause();
    }
  }

  unmute(): void {
    for (const connection of this.open) {
      if (!connection.muted) continue;
      connection.muted = false;
      connection.ws.resume();
    }
  }

  /** Writes this text frame to every socket as it is, JSON or not. */
  sendRaw(text: string | Buffer): void {
    for (const connection of this.known.values()) deliver(connection, text);
  }

  /** Forgets who is who, as a process that dies does. */
  killAll(): void {
    for (const connection of this.open) {
      connection.ws.resume();
      connection.ws.terminate();
    }
    this.known.clear();
    this.running = undefined;
  }

  private opened(ws: WebSocket, socket: Duplex, wanted: string | null): void {
    const clientId = wanted === null || wanted === '' ? randomUUID().replaceAll('-', '') : wanted;
    const deflated = ws.extensions.includes('permessage-deflate');
    const connection: Connection = { ws, socket, clientId, deflated, features: {}, muted: false };
    this.open.add(connection);
    this.known.set(clientId, connection);
    ws.on('error', () => ws.terminate());
    ws.on('ping', (data: Buffer) => {
      if (!connection.muted) ws.pong(data);
    });
    ws.on('close', () => {
      this.open.delete(connection);
      // ComfyUI removes whatever goes by this id, be it a newer socket: the half-open trap (10).
      this.known.delete(clientId);
    });
    ws.once('message', (message: RawData) => this.negotiate(connection, message));
    if (!this.loses('status')) {
      deliver(connection, JSON.stringify({ type: 'status', data: { ...this.status(), sid: clientId } }));
    }
    if (this.running && this.running.clientId === clientId) {
      this.send(clientId, 'executing', { node: this.running.node });
    }
  }

  /** Feature flags count only as the very first message. */
  private negotiate(connection: Connection, message: RawData): void {
    if (!this.dialect.negotiatesFeatures) return;
    let parsed: unknown;
    try {
      parsed = JSON.parse((message as Buffer).toString());
    } catch {
      return;
    }
    if (!isObject(parsed) || parsed['type'] !== 'feature_flags') return;
    connection.features = isObject(parsed['data']) ? parsed['data'] : {};
    if (!this.loses('feature_flags')) {
      deliver(connection, JSON.stringify({ type: 'feature_flags', data: this.dialect.features }));
    }
  }

  private sendBinary(clientId: string, ...parts: readonly Buffer[]): void {
    const connection = this.known.get(clientId);
    if (connection && !this.loses('binary')) deliver(connection, Buffer.concat(parts));
  }

  private broadcastBinary(...parts: readonly Buffer[]): void {
    for (const clientId of this.known.keys()) this.sendBinary(clientId, ...parts);
  }

  private loses(type: string): boolean {
    if (this.lost.size === 0) return false;
    const left = this.lost.get(type);
    if (left === undefined) return false;
    if (left > 1) this.lost.set(type, left - 1);
    else this.lost.delete(type);
    return true;
  }
}

/** What is sent in one turn goes out in one write: half the cost of a trivial prompt was system calls. */
function deliver({ ws, socket, muted }: Connection, data: string | Buffer): void {
  if (muted || ws.readyState !== WebSocket.OPEN) return;
  if (socket.writableCorked === 0) {
    socket.cork();
    process.nextTick(() => socket.uncork());
  }
  ws.send(data);
}
