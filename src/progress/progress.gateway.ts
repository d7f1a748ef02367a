import { UseFilters, UsePipes } from '@nestjs/common';
import {
  Ack,
  ConnectedSocket,
  MessageBody,
  type OnGatewayDisconnect,
  SubscribeMessage,
  WebSocketGateway,
} from '@nestjs/websockets';
import type { ServerOptions, Socket } from 'socket.io';
import { ComfyService } from '../comfy/index.js';
import { JobFeed, oncePerChange } from '../feed/index.js';
import { RequestPipe } from '../request/index.js';
import { callerOf } from './progress-io.adapter.js';
import { AckFilter, type Reply } from './ack.filter.js';
import { ClientWatches } from './client-watches.js';
import { toMessages } from './messages.js';
import { SubscriptionDto } from './subscription.dto.js';

/** Clients send ids and nothing else; they get JPEG, which cannot be compressed further. */
const OPTIONS: Partial<ServerOptions> & { namespace: string } = {
  namespace: '/progress',
  path: '/socket.io',
  transports: ['polling', 'websocket'],
  maxHttpBufferSize: 64 * 1024,
  perMessageDeflate: false,
  httpCompression: false,
  connectTimeout: 10_000,
};

/**
 * Jobs, live, over Socket.IO. `subscribe {job_id}` is acknowledged with the status, and then followed by the job's
 * snapshot and its changes until the final `status`; `unsubscribe {job_id}` ends that.
 */
@WebSocketGateway(OPTIONS)
@UseFilters(new AckFilter())
@UsePipes(new RequestPipe())
export class ProgressGateway implements OnGatewayDisconnect {
  private readonly clients = new WeakMap<Socket, ClientWatches>();
  private readonly encode = oncePerChange(toMessages);

  constructor(
    private readonly comfy: ComfyService,
    private readonly feed: JobFeed,
  ) {}

  @SubscribeMessage('subscribe')
  subscribe(
    @ConnectedSocket() socket: Socket,
    @MessageBody() body: SubscriptionDto,
    @Ack() ack: ((reply: Reply) => void) | undefined,
  ): void {
    const id = body.job_id.toLowerCase();
    // A body is checked asynchronously: the client may be gone by now, and nobody would end its watch.
    if (socket.disconnected) return;
    const watches =
      this.clients.get(socket) ?? new ClientWatches(socket, this.feed, callerOf(socket.request), this.encode);
    this.clients.set(socket, watches);
    watches.add(id);
    const status = this.comfy.find(id)?.status;
    ack?.({ ok: true, job_id: id, ...(status === undefined ? {} : { status }) });
  }

  @SubscribeMessage('unsubscribe')
  unsubscribe(
    @ConnectedSocket() socket: Socket,
    @MessageBody() body: SubscriptionDto,
    @Ack() ack: ((reply: Reply) => void) | undefined,
  ): void {
    const id = body.job_id.toLowerCase();
    this.clients.get(socket)?.remove(id);
    ack?.({ ok: true, job_id: id });
  }

  handleDisconnect(socket: Socket): void {
    this.clients.get(socket)?.clear();
  }
}
