import { BehaviorSubject, distinctUntilChanged, map, type Observable } from 'rxjs';
import type { BackendAddress } from '../../config/index.js';
import { asBackendError, ComfyHttp, HTTP_LIMITS, type HttpLimits, type ViewedFile } from './comfy-http.js';
import { ComfySocket, SOCKET_LIMITS, type SocketLimits } from './comfy-socket.js';
import { HistoryJanitor } from './history-janitor.js';
import type { FileRef } from './messages.js';
import type { FileToUpload } from './multipart.js';
import { type NodeClass, readNodeClass } from './node-class.js';
import { PromptCanceller } from './prompt-canceller.js';
import { PromptRouter } from './prompt-router.js';
import { QueueWatch } from './queue-watch.js';
import { runPrompt } from './run.js';
import { explainUnreachable, type Unreachable } from './reachability.js';
import { RUN_LIMITS, type RunEvent, type RunLimits, type RunRequest } from './run.types.js';

export interface ClientLimits {
  http: HttpLimits;
  socket: SocketLimits;
  run: RunLimits;
}

export const CLIENT_LIMITS: ClientLimits = { http: HTTP_LIMITS, socket: SOCKET_LIMITS, run: RUN_LIMITS };

/** ONE ComfyUI server, of any generation. */
export class ComfyClient {
  private readonly http: ComfyHttp;
  private readonly socket: ComfySocket;
  private readonly router: PromptRouter;
  private readonly canceller: PromptCanceller;
  private readonly janitor: HistoryJanitor;
  private readonly unreachableSubject = new BehaviorSubject<Unreachable | undefined>(undefined);
  private probing = false;
  private closed = false;
  private readonly queueWatch: QueueWatch;

  constructor(
    address: BackendAddress,
    private readonly limits: ClientLimits = CLIENT_LIMITS,
    /** Names us in every prompt; the same after a restart where we go on with what we gave away. */
    owner?: string,
  ) {
    this.http = new ComfyHttp(address, limits.http, owner);
    this.socket = new ComfySocket(address, limits.socket);
    this.router = new PromptRouter(this.socket.messages$);
    this.canceller = new PromptCanceller(this.http);
    this.janitor = new HistoryJanitor(this.http);
    this.connected$.subscribe((connected) => {
      if (connected) this.unreachableSubject.next(undefined);
    });
    this.socket.failures$.subscribe((status) => void this.explain(status));
    this.queueWatch = new QueueWatch(this.http, this.socket.messages$, this.socket.state$);
    this.socket.state$.subscribe(() => this.canceller.reconnected());
  }

  /** Whether prompts can be run now; the current answer first. */
  get connected$(): Observable<boolean> {
    return this.socket.state$.pipe(
      map(({ clientId }) => clientId !== undefined),
      distinctUntilChanged(),
    );
  }

  /** Why there is no connection, as far as that is known; undefined while there is one. */
  get unreachable$(): Observable<Unreachable | undefined> {
    return this.unreachableSubject;
  }

  /** Frames of unknown kinds since the start. */
  get ignoredFrames(): number {
    return this.socket.ignoredFrames;
  }

  /** Connects and stays connected until `close()`. */
  open(): void {
    this.socket.open();
  }

  /** See `runPrompt`. */
  run(request: RunRequest): Observable<RunEvent> {
    const { http, socket, router, canceller, queueWatch } = this;
    return runPrompt({ http, socket, router, canceller, queueWatch, limits: this.limits.run }, request);
  }

  /** Resolves when nothing is done any more about a run that was left early. @returns whether it is off the server for certain */
  settled(promptId: string): Promise<boolean> {
    return this.canceller.settled(promptId);
  }

  /**
   * Asks how the server is, and stops prompts of ours that nobody follows any more: those given up while it could not be
   * reached.
   * @param follows by the id that we gave the prompt
   * @returns how many did not stop
   * @throws BackendError where it does not answer
   */
  async examine(follows: (promptId: string) => boolean): Promise<number> {
    const strays = await this.strays(follows);
    if (strays.length === 0) return 0;
    for (const { promptId, mark } of strays) {
      if (!this.canceller.isAt(mark)) this.canceller.cancel(mark, Promise.resolve(promptId));
    }
    await Promise.all(strays.map(({ mark }) => this.canceller.settled(mark)));
    return (await this.strays(follows)).length;
  }

  /** Lets the server forget what it has cached and, if so said, its models; between two prompts. @throws BackendError */
  free(what: { models: boolean }): Promise<void> {
    return this.http.free(what);
  }

  /** The bytes of an output. @throws BackendError */
  view(file: FileRef, signal?: AbortSignal): Promise<ViewedFile> {
    return this.http.view(file, signal);
  }

  /** Does it answer a question now? Never rejects. */
  async answers(): Promise<boolean> {
    return this.http.queue().then(
      () => true,
      () => false,
    );
  }

  /** Puts a file into a folder of the server. @returns what a node has to say to mean it @throws BackendError */
  upload(file: FileToUpload, signal: AbortSignal): Promise<string> {
    return this.http.upload(file, signal);
  }

  /** A node class; undefined where the server has none of this name. @throws BackendError */
  async nodeClass(name: string): Promise<NodeClass | undefined> {
    const info = await this.http.objectInfo(name);
    return info === undefined ? undefined : readNodeClass(info);
  }

  /** Lets the server forget a prompt whose outputs are safe. */
  forget(promptId: string): void {
    this.janitor.forget(promptId);
  }

  /** From now on nothing is stopped there: the next process goes on with what runs. */
  letGo(): void {
    this.canceller.retire();
  }

  /** Finishes cancels and clean-up within `graceMs`, then ends every connection. */
  async close(graceMs = 2_000): Promise<void> {
    this.closed = true;
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => (timer = setTimeout(resolve, graceMs)));
    await Promise.race([Promise.all([this.canceller.idle(), this.janitor.flush()]), grace]);
    clearTimeout(timer);
    this.router.close();
    this.queueWatch.close();
    this.socket.close();
    this.unreachableSubject.complete();
    await this.http.close();
  }

  /** Never rejects. @param socketStatus see `ComfySocket.failures$` */
  private async explain(socketStatus: number | undefined): Promise<void> {
    if (this.probing) return;
    this.probing = true;
    // A kept connection of before breaks without saying why; a new one says it.
    const found = await this.http
      .probe()
      .catch(() => this.http.probe())
      .catch((error: unknown) => asBackendError(error));
    this.probing = false;
    if (this.socket.clientId !== undefined || this.closed) return;
    this.unreachableSubject.next(explainUnreachable(found, socketStatus));
  }

  private async strays(follows: (promptId: string) => boolean) {
    const { running, pending } = await this.http.queue();
    return [...running, ...pending].flatMap(({ ours, promptId, mark }) =>
      ours && mark !== undefined && !follows(mark) ? [{ promptId, mark }] : [],
    );
  }
}
