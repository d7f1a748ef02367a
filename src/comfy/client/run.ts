import { Observable, Subscription, type Subscriber } from 'rxjs';
import { ComfyError } from '../comfy.error.js';
import { BackendError, PromptRejected } from './backend.error.js';
import type { QueuedPrompt, QueueSnapshot } from './comfy-http.js';
import type { PromptMessage } from './messages.js';
import { NodeFailures } from './node-failures.js';
import { readNodeErrors, skippedOutputs } from './node-errors.js';
import { OutputLedger } from './output-ledger.js';
import { readNodeOutput, type RunOutput } from './outputs.js';
import { ProgressMeter, type RunProgress } from './progress-meter.js';
import { ProgressStates } from './progress-states.js';
import { type Finding, inquire } from './prompt-inquiry.js';
import {
  deletedError,
  executionError,
  interruptedError,
  lostError,
  notFoundAgainError,
  rejectedError,
  struckError,
  unnamedOutputError,
} from './run.error.js';
import type { RunContext, RunEvent, RunRequest } from './run.types.js';
import { Unanswered } from './unanswered.js';

/**
 * Runs a workflow: cold, subscribing submits it, unsubscribing before the end cancels it on the server. Completes on
 * success.
 *
 * The socket is a hint, the history is the truth: after a drop, after a silence, after a node failed, or where the events do
 * not name the wanted output, `/history` and `/queue` are asked. What was made before a failure is told before the failure (36).
 * A prompt that was adopted and is not there fails with the reason `not_found_again`.
 * @throws ComfyError `invalid_workflow` · `node_execution_error` · `out_of_memory` · `interrupted` · `no_backend` (not
 * accepted) · `backend_lost` (accepted, and then lost)
 */
export function runPrompt(context: RunContext, request: RunRequest): Observable<RunEvent> {
  return new Observable<RunEvent>((subscriber) => {
    const run = new PromptRun(context, request, subscriber);
    run.start();
    return () => run.leave();
  });
}

/** Milliseconds until the next look for something that should be there any moment. */
const LOOK_AGAIN_MS = 100;

class PromptRun {
  private readonly subscriptions = new Subscription();
  private readonly meter: ProgressMeter;
  private readonly ledger: OutputLedger;
  /** Ids whose events we listen to: ours, and on old servers the one they chose. */
  private promptId: string;
  private submission: Promise<void> = Promise.resolve();
  private accepted = false;
  private started = false;
  private succeeded = false;
  /** Has the socket itself told that it is over? */
  private heardEnd = false;
  /** All is said; only the reply to `POST /prompt` is still awaited. */
  private finishing = false;
  private ended = false;
  /** Events may have been missed: only the history can be believed. */
  private doubt = false;
  /** Do events still come to the socket that the prompt was submitted with? */
  private sighted = true;
  private asking = false;
  /** When the question is due for which there is a reason, in ms since the epoch. */
  private dueAt: number | undefined;
  private readonly unanswered = new Unanswered();
  private readonly failures = new NodeFailures();
  private readonly states: ProgressStates;
  private missingSince: number | undefined;
  private timer: NodeJS.Timeout | undefined;
  private times: { start: number | undefined; end: number | undefined } = {
    start: undefined,
    end: undefined,
  };

  constructor(
    private readonly context: RunContext,
    private readonly request: RunRequest,
    private readonly subscriber: Subscriber<RunEvent>,
  ) {
    this.promptId = request.promptId;
    this.meter = new ProgressMeter(request.workflow);
    this.ledger = new OutputLedger(request.workflow, request.outputNode);
    this.states = new ProgressStates(request.watched$, (nodes) => this.tell(this.meter.takeStates(nodes)));
  }

  start(): void {
    const { socket } = this.context;
    const clientId = socket.clientId;
    if (clientId === undefined) {
      return this.fail(new ComfyError('no_backend', 'The backend is not connected.'));
    }
    // Before submitting: events can come before the reply to POST /prompt (03, 16).
    this.listen(this.promptId);
    this.subscriptions.add(
      socket.state$.subscribe((state) => {
        if (state.clientId !== clientId) this.loseConnection();
      }),
    );
    this.subscriptions.add(
      this.context.queueWatch.snapshots$.subscribe((snapshot) => this.lookInto(snapshot)),
    );
    // Its events went to the client id of the process that submitted it.
    if (this.request.adopted) return this.loseSight();
    this.submission = this.submit(clientId);
  }

  /** The subscriber is gone, or we have ended. */
  leave(): void {
    if (this.ended) return;
    this.stop();
    if (!this.finishing) this.cancel();
  }

  private cancel(): void {
    this.context.canceller.cancel(
      this.request.promptId,
      this.submission.then(() => this.promptId),
    );
  }

  private async submit(clientId: string): Promise<void> {
    const { workflow, promptId, extraData, targets, front = false } = this.request;
    try {
      const reply = await this.context.http.submit({
        workflow,
        clientId,
        promptId,
        front,
        ...(extraData === undefined ? {} : { extraData }),
        ...(targets === undefined ? {} : { targets }),
      });
      this.accept(reply.promptId, reply.nodeErrors);
    } catch (error) {
      if (this.ended) return;
      if (error instanceof PromptRejected || !(error instanceof BackendError))
        this.fail(rejectedError(error));
      else if (error.inDoubt) this.loseSight();
      else this.fail(rejectedError(error));
    }
  }

  private accept(promptId: string, rawNodeErrors: unknown): void {
    if (this.ended) {
      this.promptId = promptId;
      return;
    }
    this.accepted = true;
    const nodeErrors = readNodeErrors(rawNodeErrors);
    const { outputNode } = this.request;
    if (outputNode !== undefined && skippedOutputs(rawNodeErrors).has(outputNode)) {
      // The wanted branch will never run (16). Our caller gets the reasons, the server gets a cancel.
      this.promptId = promptId;
      this.context.canceller.cancel(this.request.promptId, Promise.resolve(promptId));
      this.fail(
        new ComfyError('invalid_workflow', 'ComfyUI cannot run the branch of the output node.', {
          nodeErrors,
        }),
      );
      return;
    }
    this.emit({ type: 'accepted', promptId, nodeErrors });
    this.waitForSigns();
    if (promptId !== this.promptId) {
      this.promptId = promptId;
      // Everything may have happened already; what came is heard now.
      this.listen(promptId);
    }
  }

  private listen(promptId: string): void {
    // Some of what came before the reply was too much to keep.
    if (this.context.router.hasForgotten(promptId)) this.loseConnection();
    if (this.ended) return;
    this.subscriptions.add(this.context.router.watch(promptId).subscribe((message) => this.hear(message)));
  }

  private hear(message: PromptMessage): void {
    if (this.ended || this.finishing) return;
    this.unanswered.clear();
    this.waitForSigns();
    const progress = this.meter.take(message);
    switch (message.type) {
      case 'execution_start':
        this.noteTimes(message.at, undefined);
        this.begin();
        break;
      case 'executed':
        this.ledger.hear(message.displayNode);
        this.deliver(readNodeOutput(message.node, message.displayNode, message.output));
        break;
      case 'image':
        this.takeImage(message);
        break;
      case 'execution_success':
        this.succeeded = true;
        this.heardEnd = true;
        this.noteTimes(undefined, message.at);
        if (!this.doubt && this.ledger.complete) this.complete();
        // Usually `executing: null` follows at once; ask if it is lost.
        else this.askIn(this.context.limits.historyGraceMs);
        break;
      case 'execution_error':
        // The history tells whether that was the end; `executing: null` follows at once where it was.
        if (this.failures.add(message.failure)) this.askIn(this.context.limits.historyGraceMs);
        break;
      case 'execution_interrupted':
        this.noteTimes(undefined, message.at);
        this.fail(this.interruption());
        break;
      case 'executing':
        if (message.node !== null) break;
        this.heardEnd = true;
        this.askIn(0);
        break;
      case 'execution_cached':
        this.ledger.noteCached(message.nodes);
        break;
      case 'progress_state':
        this.states.take(message.frame);
        break;
      case 'unreadable':
        // It may have named an output, or told the end.
        this.doubt = true;
        this.askIn(this.context.limits.blindPollMs);
        break;
      case 'progress':
        break;
    }
    if (progress === undefined) this.emit({ type: 'alive' });
    else this.tell(progress);
  }

  private tell(progress: RunProgress | undefined): void {
    if (progress !== undefined) this.emit({ type: 'progress', progress });
  }

  private takeImage(message: PromptMessage & { type: 'image' }): void {
    const { node, displayNode, mime, bytes } = message;
    // Pictures are PNG, previews JPEG: an old server does not tell whose a frame is (06a, 13).
    if (this.ledger.comesOverSocket(displayNode) && mime === 'image/png') {
      this.ledger.hear(displayNode);
      this.emit({
        type: 'output',
        output: { node, displayNode, kind: 'images', form: 'memory', mime, bytes },
      });
    } else {
      this.emit({ type: 'preview', node: displayNode, mime, bytes });
    }
  }

  private begin(late = false): void {
    if (this.started) return;
    this.started = true;
    this.emit(late ? { type: 'started', late } : { type: 'started' });
  }

  /** What was sent until now is all that will come. */
  private loseConnection(): void {
    if (this.ended || this.finishing) return;
    // Frames are sent once: there is no point in letting it go on.
    if (this.ledger.wantsSocket) this.lose();
    else this.loseSight();
  }

  /** Our events may be going nowhere: from here on the history is asked. */
  private loseSight(): void {
    if (this.ended) return;
    this.doubt = true;
    this.sighted = false;
    this.askIn(0);
  }

  /** The queue was asked because it got shorter. */
  private lookInto({ running, pending, complete }: QueueSnapshot): void {
    const { promptId } = this.request;
    const mine = (row: QueuedPrompt) => row.promptId === this.promptId || row.mark === promptId;
    if (!this.accepted || this.heardEnd || !complete || [...running, ...pending].some(mine)) return;
    this.askIn(0);
  }

  /** The usual waiting: long while events come, short while they cannot, or while a question has no answer yet. */
  private waitForSigns(): void {
    const { silenceMs, blindPollMs, lostAfterMs } = this.context.limits;
    const { forMs } = this.unanswered;
    // A question that is due for a reason is not put off by a sign of life.
    if (this.dueAt !== undefined) return;
    this.schedule(!this.sighted || (forMs > 0 && forMs < lostAfterMs) ? blindPollMs : silenceMs);
  }

  /** There is a reason to ask; an earlier reason may have it asked sooner. */
  private askIn(ms: number): void {
    if (this.ended || this.finishing) return;
    const at = Date.now() + ms;
    if (this.dueAt !== undefined && this.dueAt <= at) return;
    this.dueAt = at;
    this.schedule(ms);
  }

  private schedule(ms: number): void {
    // Once that one is answered.
    if (this.ended || this.finishing || this.asking) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.ask(), ms);
  }

  /** Asks the server how the prompt is; settles it, or waits on. Never rejects. */
  private async ask(): Promise<void> {
    this.asking = true;
    this.dueAt = undefined;
    const askedAt = Date.now();
    try {
      const found = await inquire(this.context.http, this.promptId, this.request.promptId, this.accepted);
      this.unanswered.clear();
      if (!this.ended && !this.finishing) this.settle(found);
    } catch (error) {
      if (this.ended || this.finishing) return;
      this.unanswered.note(error, askedAt);
      this.bear(error);
    } finally {
      this.asking = false;
      if (this.dueAt === undefined) this.waitForSigns();
      else this.schedule(Math.max(0, this.dueAt - Date.now()));
    }
  }

  /** A question was not answered: how long that is borne depends on what the socket has told, and on whether it lives. */
  private bear(error: unknown): void {
    const { lostAfterMs, refusedAfterMs } = this.context.limits;
    const { forMs, refusedForMs } = this.unanswered;
    const dead = !this.sighted && refusedForMs >= refusedAfterMs && this.request.hasAlternative?.() === true;
    if (forMs < lostAfterMs && !dead) return;
    // What the socket told is all that will be known.
    if (this.succeeded) this.complete();
    else if (this.failures.last !== undefined) this.fail(executionError(this.failures.last));
    else if (!this.sighted) this.lose(error);
  }

  private settle(found: Finding): void {
    if (found.is === 'waiting') {
      if (!this.accepted) this.accept(found.promptId, undefined);
      if (found.running) {
        this.begin(true);
        this.emit({ type: 'alive' });
      }
      return;
    }
    if (found.is === 'missing') {
      this.missingSince ??= Date.now();
      if (Date.now() - this.missingSince < this.missingGraceMs()) this.askIn(LOOK_AGAIN_MS);
      // Somebody has emptied the history since; what the socket told is left.
      else if (this.succeeded && this.ledger.complete) this.complete();
      else if (this.failures.last !== undefined) this.fail(executionError(this.failures.last));
      else if (this.accepted && this.sighted && !this.succeeded) this.fail(deletedError());
      else this.lose();
      return;
    }
    if (!this.accepted) this.accept(found.promptId, undefined);
    const { outcome } = found;
    this.noteTimes(outcome.times.start, outcome.times.end);
    this.begin(true);
    this.deliver(outcome.outputs);
    switch (outcome.ended) {
      case 'error':
        return this.fail(executionError(outcome.failure));
      case 'interrupted':
        return this.fail(this.interruption());
      case 'success':
        // Its pictures come before its end on the same socket: where that was not heard, they may have been lost.
        if (this.ledger.wantsSocket && (!this.sighted || !this.heardEnd)) return this.lose();
        return this.complete();
    }
  }

  /** Somebody stopped the prompt; on a server that replaces our ids, and so stops whatever runs, we may have been that. */
  private interruption(): ComfyError {
    const old = this.promptId !== this.request.promptId;
    return old && this.context.canceller.mayHaveStruck ? struckError() : interruptedError();
  }

  /** How long the server's books may know nothing of the prompt. */
  private missingGraceMs(): number {
    const { doubtMs, historyGraceMs } = this.context.limits;
    // A request in doubt may still be on its way into the queue; a history entry comes after the end is told (24).
    if (!this.accepted) return doubtMs;
    return this.succeeded || this.failures.last !== undefined ? historyGraceMs : 0;
  }

  private lose(cause?: unknown): void {
    // Should the prompt turn up after all, nobody waits for it any more.
    this.cancel();
    this.fail(this.request.adopted ? notFoundAgainError(cause) : lostError(this.accepted, cause));
  }

  private deliver(outputs: RunOutput[]): void {
    for (const output of this.ledger.enter(outputs)) this.emit({ type: 'output', output });
  }

  /** Tells what of the server's clock was not known yet. */
  private noteTimes(start: number | undefined, end: number | undefined): void {
    const times = { start: this.times.start ?? start, end: this.times.end ?? end };
    if (times.start === this.times.start && times.end === this.times.end) return;
    this.times = times;
    this.emit({ type: 'times', ...times });
  }

  private emit(event: RunEvent): void {
    if (!this.ended) this.subscriber.next(event);
  }

  private complete(): void {
    if (this.ended || this.finishing) return;
    if (this.ledger.lacksCached) return this.fail(unnamedOutputError());
    for (const blocked of this.failures.blocked) this.emit({ type: 'blocked', ...blocked });
    this.finishing = true;
    clearTimeout(this.timer);
    const finish = () => {
      if (this.ended) return;
      this.stop();
      this.subscriber.complete();
    };
    // The reply may come after the last event, and can say that the wanted branch was skipped; or it may never come.
    this.timer = setTimeout(finish, this.context.limits.replyGraceMs);
    void this.submission.then(finish);
  }

  private fail(error: ComfyError): void {
    if (this.ended) return;
    this.stop();
    this.subscriber.error(error);
  }

  private stop(): void {
    this.ended = true;
    clearTimeout(this.timer);
    this.states.close();
    this.subscriptions.unsubscribe();
  }
}
