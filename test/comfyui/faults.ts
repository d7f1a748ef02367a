import { rmSync } from 'node:fs';
import type { Folders } from './folders.js';
import type { Worker } from './execution/worker.js';
import { outOfMemory } from './nodes/probe-nodes.js';
import { PythonError } from './python.js';
import type { SocketHub } from './socket-hub.js';
import type { FileRef } from './types.js';

/** The routes as the faults and the journal name them, whatever prefix they were asked under. */
export type RouteName =
  | 'POST /prompt'
  | 'GET /prompt'
  | 'GET /queue'
  | 'POST /queue'
  | 'GET /history'
  | 'GET /history/{id}'
  | 'POST /history'
  | 'POST /interrupt'
  | 'POST /free'
  | 'GET /view'
  | 'POST /upload/image'
  | 'GET /object_info'
  | 'GET /object_info/{class}'
  | 'GET /system_stats'
  | 'GET /features'
  | 'GET /models'
  | 'GET /models/{folder}'
  | 'GET /ws'
  | 'GET /jobs'
  | 'GET /jobs/{id}'
  | 'POST /jobs/{id}/cancel'
  | 'other';

/** What a request meets instead of its route, once. */
export type Trap =
  { kind: 'fail'; status: number; body: string | object } | { kind: 'reset' } | { kind: 'hang' };

/** How `/view` sends its bytes. */
export interface ViewFault {
  truncateAt?: number;
  bytesPerSecond?: number;
}

/** How aiohttp words an exception of a handler (04). */
const OWN_500 = '500 Internal Server Error\n\nServer got itself in trouble';

/** What a fault needs of the server it belongs to. */
export interface FaultTargets {
  readonly hub: SocketHub;
  readonly worker: Worker;
  readonly folders: Folders;
  readonly refuse: (on: boolean) => Promise<void>;
  readonly cutOff: () => Promise<void>;
}

/** Trouble on demand. Where no recording shows a behaviour, the method says so. */
export class Faults {
  private readonly traps = new Map<RouteName, Trap[]>();
  private readonly delays = new Map<RouteName, number>();
  private readonly failures: Error[] = [];
  private readonly views: { fault: ViewFault; left: number }[] = [];
  private lateHistories: number[] = [];
  private swallowed = 0;
  private device: Error | undefined;
  private diskFull = false;

  constructor(private readonly targets: FaultTargets) {}

  /** Cuts the TCP connection of every open WebSocket; no close frame (as 90, with the server still up). */
  dropSockets(): void {
    this.targets.hub.drop();
  }

  /** Closes every WebSocket politely, with a close frame. Not in any recording: a proxy or a restart may do it. */
  closeSockets(code = 1001, reason = ''): void {
    this.targets.hub.close(code, reason);
  }

  /** Half-open: the oldest `count` sockets are no longer read, answered or written to, and stay open. Not in any recording. @default all that are open */
  muteSockets(count = Infinity): void {
    this.targets.hub.mute(count);
  }

  /** Ends `muteSockets`; what was not sent meanwhile is gone. */
  unmuteSockets(): void {
    this.targets.hub.unmute();
  }

  /** The next `times` messages of this type never arrive (`binary` for previews); others do. Not in any recording. @default every one, until `clear()` */
  loseEvents(type: string, times = Infinity): void {
    this.targets.hub.lost.set(type, times);
  }

  /** Sends a frame that is not what a client expects: broken JSON as text, or bytes. Not in any recording. */
  sendGarbage(frame: string | Buffer = '{"type":'): void {
    this.targets.hub.sendRaw(frame);
  }

  /** Every request to the route waits this long first, until `clear()`. */
  delay(route: RouteName, ms: number): void {
    this.delays.set(route, ms);
  }

  /** The next `times` requests to the route get this answer and have no effect. */
  failNext(route: RouteName, status: number, body: string | object = '', times = 1): void {
    this.set(route, { kind: 'fail', status, body }, times);
  }

  /** The next `times` requests to the route have their connection reset, with no effect and no answer. */
  resetNext(route: RouteName, times = 1): void {
    this.set(route, { kind: 'reset' }, times);
  }

  /** The next `times` requests to the route are never answered and have no effect. */
  hangNext(route: RouteName, times = 1): void {
    this.set(route, { kind: 'hang' }, times);
  }

  /** The next `times` `/view` answers promise all bytes and break off after `bytes`. */
  truncateView(bytes: number, times = 1): void {
    this.views.push({ fault: { truncateAt: bytes }, left: times });
  }

  /** `/view` trickles for the next `times` answers. @default every one, until `clear()` */
  slowView(bytesPerSecond: number, times = Infinity): void {
    this.views.push({ fault: { bytesPerSecond }, left: times });
  }

  /** The next run's history entry appears only `ms` after `executing {node: null}`. Not in any recording; 24 looked for it and did not see it. */
  lateHistory(ms: number, times = 1): void {
    for (let i = 0; i < times; i++) this.lateHistories.push(ms);
  }

  /** Queue, history and running prompt are gone as after a restart, the connections stay. Not in any recording. */
  forgetAll(): void {
    this.targets.worker.forget();
  }

  /** New connections are refused (true) or taken again (false); open ones stay. */
  refuseConnections(on = true): Promise<void> {
    return this.targets.refuse(on);
  }

  /** Every connection breaks and new ones are refused, until `refuseConnections(false)`; what runs goes on. Not in any recording. */
  cutOff(): Promise<void> {
    return this.targets.cutOff();
  }

  /** The next `times` prompts are answered with 200 and an id, and never queued. Not in any recording. */
  swallowPrompt(times = 1): void {
    this.swallowed += times;
  }

  /** The next node to run fails with `torch.OutOfMemoryError` (05b). */
  oomNext(times = 1): void {
    for (let i = 0; i < times; i++) this.failures.push(outOfMemory());
  }

  /** The next node to run raises this exception (05a). */
  raiseNext(type: string, message: string): void {
    this.failures.push(new PythonError(type, message));
  }

  /** Every node fails with `torch.AcceleratorError` until `clear()`, as after an error that needs a restart. Not in any recording. */
  breakDevice(message = 'CUDA error: an illegal memory access was encountered'): void {
    this.device = new PythonError('torch.AcceleratorError', message);
  }

  /** Nodes that write files fail with errno 28 and uploads with 500, until `clear()`. Not in any recording. */
  fillDisk(): void {
    this.diskFull = true;
  }

  /** Deletes a file that an output names; `/view` then gives 404 (23b). */
  deleteOutputFile({ filename, subfolder, type }: FileRef): void {
    const path = this.targets.folders.inside(type, subfolder, filename);
    if (path !== undefined) rmSync(path, { force: true });
  }

  /** Ends every fault that is still to come; muted sockets and refused connections stay as they are. */
  clear(): void {
    this.traps.clear();
    this.delays.clear();
    this.views.length = 0;
    this.failures.length = 0;
    this.device = undefined;
    this.diskFull = false;
    this.lateHistories = [];
    this.swallowed = 0;
    this.targets.hub.lost.clear();
  }

  /** @internal */
  takeTrap(route: RouteName): Trap | undefined {
    if (this.diskFull && route === 'POST /upload/image') return { kind: 'fail', status: 500, body: OWN_500 };
    return this.traps.get(route)?.shift();
  }

  /** @internal */
  delayOf(route: RouteName): number {
    return this.delays.get(route) ?? 0;
  }

  /** @internal */
  takeViewFault(): ViewFault | undefined {
    const [next] = this.views;
    if (next === undefined) return undefined;
    next.left--;
    if (next.left <= 0) this.views.shift();
    return next.fault;
  }

  /** @internal */
  takeFailure(classType: string): Error | undefined {
    if (this.diskFull && /^(Save|Preview)/.test(classType))
      return new PythonError('OSError', "[Errno 28] No space left on device: '/srv/ComfyUI/output/a.png'");
    return this.failures.shift() ?? this.device;
  }

  /** @internal */
  takeLateness(): number {
    return this.lateHistories.shift() ?? 0;
  }

  /** @internal */
  takeSwallow(): boolean {
    if (this.swallowed <= 0) return false;
    this.swallowed--;
    return true;
  }

  private set(route: RouteName, trap: Trap, times: number): void {
    const list = this.traps.get(route) ?? [];
    for (let i = 0; i < times; i++) list.push(trap);
    this.traps.set(route, list);
  }
}
