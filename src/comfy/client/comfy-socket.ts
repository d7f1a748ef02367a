import { randomUUID } from 'node:crypto';
import { BehaviorSubject, Subject, type Observable } from 'rxjs';
import WebSocket from 'ws';
import type { BackendAddress } from '../../config/index.js';
import { parseBinaryFrame } from './binary-frame.js';
import { parseTextFrame, type SocketMessage } from './messages.js';

export interface SocketLimits {
  /** Milliseconds for the handshake. */
  handshakeTimeoutMs: number;
  /** Milliseconds between pings. Twice that without any sign of life, and the connection counts as dead. */
  pingIntervalMs: number;
  /** First and longest pause between attempts to connect, in milliseconds; the pause doubles and is jittered. */
  minBackoffMs: number;
  maxBackoffMs: number;
  /** Largest frame taken, in bytes: pictures of SaveImageWebsocket come in one frame each. */
  maxFrameBytes: number;
}

export const SOCKET_LIMITS: SocketLimits = {
  handshakeTimeoutMs: 10_000,
  pingIntervalMs: 10_000,
  minBackoffMs: 250,
  maxBackoffMs: 5_000,
  maxFrameBytes: 256 * 1024 * 1024,
};

/** After these no node of the prompt runs; a new prompt has to begin before untagged frames are anybody's again. */
const ENDS: ReadonlySet<string> = new Set(['execution_start', 'execution_success', 'execution_interrupted']);

/** `clientId` is what prompts must be submitted with so that their events come here; undefined while not connected. */
export interface SocketState {
  clientId: string | undefined;
}

/**
 * The one WebSocket to a ComfyUI, for all prompts at once; kept up until `close()`.
 *
 * Each connection has a client id of its own: reconnecting under the old one while the server still holds the old,
 * half-open connection ends in silence (recording 10). So events of prompts submitted before a drop never come here
 * again; whoever waits for such a prompt has to ask `/history`.
 */
export class ComfySocket {
  private readonly stateSubject = new BehaviorSubject<SocketState>({ clientId: undefined });
  private readonly messageSubject = new Subject<SocketMessage>();
  private socket: WebSocket | undefined;
  private timer: NodeJS.Timeout | undefined;
  private failures = 0;
  private closed = false;
  private lastStatus: number | undefined;
  private readonly failureSubject = new Subject<number | undefined>();
  private ignored = 0;

  constructor(
    private readonly address: BackendAddress,
    private readonly limits: SocketLimits = SOCKET_LIMITS,
  ) {}

  /** Emits on every connect and drop; the current state first. */
  get state$(): Observable<SocketState> {
    return this.stateSubject;
  }

  /** Emits whenever there is no connection, or none any more: the HTTP status that the handshake got, where it got one. */
  get failures$(): Observable<number | undefined> {
    return this.failureSubject;
  }

  get clientId(): string | undefined {
    return this.stateSubject.value.clientId;
  }

  get messages$(): Observable<SocketMessage> {
    return this.messageSubject;
  }

  /** Frames of a kind nobody here knows, since the start. */
  get ignoredFrames(): number {
    return this.ignored;
  }

  /** Connects, and from now on reconnects whenever the connection is lost. */
  open(): void {
    if (this.closed || this.socket !== undefined) return;
    const clientId = randomUUID().replaceAll('-', '');
    const socket = new WebSocket(this.url(clientId), {
      headers: this.address.headers,
      handshakeTimeout: this.limits.handshakeTimeoutMs,
      maxPayload: this.limits.maxFrameBytes,
      // ComfyUI offers compression, and it costs 2 ms a prompt; previews are JPEG anyway.
      perMessageDeflate: false,
      // One odd byte in a text must not end the connection of all prompts.
      skipUTF8Validation: true,
    });
    this.socket = socket;
    this.hear(socket, clientId);
    socket.on('close', () => this.lose(socket));
    // Always followed by 'close'; without a listener it would end the process.
    socket.on('error', ({ message }) => {
      const status = /^Unexpected server response: (\d{3})/.exec(message)?.[1];
      this.lastStatus = status === undefined ? undefined : Number(status);
    });
  }

  /** Closes for good and completes both streams. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.socket?.terminate();
    this.socket = undefined;
    this.stateSubject.next({ clientId: undefined });
    this.stateSubject.complete();
    this.messageSubject.complete();
    this.failureSubject.complete();
  }

  private hear(socket: WebSocket, clientId: string): void {
    let alive = true;
    let heartbeat: NodeJS.Timeout | undefined;
    /**
     * Whose untagged frames are: one server runs one prompt at a time, and `executing` names it (06a). Undefined between our
     * prompts: then they belong to a prompt of somebody who has no client id, and come to everybody (42).
     */
    let executing: { promptId: string; node: string; displayNode: string } | undefined;

    socket.on('open', () => {
      // Must be the first message; makes previews come with the prompt they belong to (06b).
      socket.send(JSON.stringify({ type: 'feature_flags', data: { supports_preview_metadata: true } }));
      this.failures = 0;
      heartbeat = setInterval(() => {
        if (!alive) return socket.terminate();
        alive = false;
        socket.ping();
      }, this.limits.pingIntervalMs);
      this.stateSubject.next({ clientId });
    });
    socket.on('pong', () => (alive = true));
    socket.on('close', () => clearInterval(heartbeat));
    socket.on('message', (data: Buffer, binary: boolean) => {
      alive = true;
      if (socket !== this.socket) return;
      if (binary) {
        const image = parseBinaryFrame(data);
        const owner = image?.tag ?? executing;
        if (image === undefined || owner === undefined) this.ignored += 1;
        else this.messageSubject.next({ type: 'image', mime: image.mime, bytes: image.bytes, ...owner });
        return;
      }
      const message = parseTextFrame(data);
      if (message === undefined || message.type === 'unreadable') this.ignored += 1;
      if (message === undefined) return;
      if (message.type === 'executing') {
        const { promptId, node, displayNode } = message;
        executing = node === null ? undefined : { promptId, node, displayNode: displayNode ?? node };
      } else if (ENDS.has(message.type)) executing = undefined;
      this.messageSubject.next(message);
    });
  }

  private lose(socket: WebSocket): void {
    if (this.closed || socket !== this.socket) return;
    this.socket = undefined;
    if (this.clientId !== undefined) this.stateSubject.next({ clientId: undefined });
    this.failureSubject.next(this.lastStatus);
    this.lastStatus = undefined;
    const { minBackoffMs, maxBackoffMs } = this.limits;
    const pause = Math.min(maxBackoffMs, minBackoffMs * 2 ** this.failures) * (0.5 + Math.random() / 2);
    this.failures += 1;
    this.timer = setTimeout(() => this.open(), pause);
    this.timer.unref();
  }

  private url(clientId: string): string {
    const url = new URL(`${this.address.url}/ws`);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    for (const [name, value] of Object.entries(this.address.query)) url.searchParams.set(name, value);
    url.searchParams.set('clientId', clientId);
    return url.href;
  }
}
