import { randomUUID } from 'node:crypto';
import { BehaviorSubject, finalize, Observable, Subject, type Subscription } from 'rxjs';
import type { BackendAddress } from '../../config/index.js';
import {
  ComfyClient,
  type ClientLimits,
  type FileRef,
  type RunEvent,
  type RunRequest,
  type ViewedFile,
} from '../client/index.js';

/** A run as the engine asks for it; the backend finds the prompt's id. */
export type BackendRun = Omit<RunRequest, 'promptId'> & { promptId?: string };

/** One ComfyUI with its slots. */
export class Backend {
  private readonly client: ComfyClient;
  private readonly connectedSubject = new BehaviorSubject(false);
  private readonly freedSubject = new Subject<void>();
  private readonly subscription: Subscription;
  private taken = 0;
  private started = 0;

  constructor(
    readonly address: BackendAddress,
    /** Prompts it may hold at once: one runs, the others wait there so that the GPU never idles between two. */
    readonly slots: number,
    limits?: ClientLimits,
  ) {
    this.client = new ComfyClient(address, limits);
    this.subscription = this.client.connected$.subscribe(this.connectedSubject);
  }

  /** `host:port/base`, for logs and operators. */
  get name(): string {
    return this.address.name;
  }

  /** The current answer first. */
  get connected$(): Observable<boolean> {
    return this.connectedSubject;
  }

  get connected(): boolean {
    return this.connectedSubject.value;
  }

  /** Emits whenever a slot becomes free. */
  get freed$(): Observable<void> {
    return this.freedSubject;
  }

  get busySlots(): number {
    return this.taken;
  }

  get freeSlots(): number {
    return this.connected ? Math.max(0, this.slots - this.taken) : 0;
  }

  /** When it last got a prompt, in ms of `performance.now()`; 0 before the first. */
  get lastStart(): number {
    return this.started;
  }

  open(): void {
    this.client.open();
  }

  /** `ComfyClient.run` in a slot, which is taken until the prompt is off the server. */
  run(request: BackendRun): Observable<RunEvent> {
    return new Observable((subscriber) => {
      const promptId = request.promptId ?? randomUUID();
      this.taken += 1;
      this.started = performance.now();
      return this.client
        .run({ ...request, promptId })
        .pipe(finalize(() => void this.release(promptId)))
        .subscribe(subscriber);
    });
  }

  /** The bytes of an output. @throws BackendError */
  view(file: FileRef, signal?: AbortSignal): Promise<ViewedFile> {
    return this.client.view(file, signal);
  }

  /** Lets the server forget a prompt whose outputs are safe. */
  forget(promptId: string): void {
    this.client.forget(promptId);
  }

  async close(): Promise<void> {
    await this.client.close();
    this.subscription.unsubscribe();
    this.freedSubject.complete();
  }

  private async release(promptId: string): Promise<void> {
    await this.client.settled(promptId);
    this.taken -= 1;
    this.freedSubject.next();
  }
}
