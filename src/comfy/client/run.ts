import { Observable, Subscription, type Subscriber } from 'rxjs';
import { ComfyError, type NodeErrors } from '../comfy.error.js';
import { linkOf, type Workflow } from '../workflow/index.js';
import { BackendError, PromptRejected } from './backend.error.js';
import type { ComfyHttp } from './comfy-http.js';
import type { ComfySocket } from './comfy-socket.js';
import { executionError, interruptedError, lostError, rejectedError } from './run.error.js';
import type { PromptMessage } from './messages.js';
import { readNodeErrors, skippedOutputs } from './node-errors.js';
import { readNodeOutput, type RunOutput } from './outputs.js';
import { ProgressMeter, type RunProgress } from './progress-meter.js';
import { type Finding, inquire } from './prompt-inquiry.js';
import type { PromptCanceller } from './prompt-canceller.js';
import type { PromptRouter } from './prompt-router.js';

/** A workflow to run once on one ComfyUI. */
export interface RunRequest {
  /** Lower-case UUID, fresh for each run: ComfyUI runs an id twice if it is sent twice (11b). */
  promptId: string;
  workflow: Workflow;
  /** The node whose outputs are wanted; without it, all that the workflow makes. */
  outputNode?: string | undefined;
  /** Passed on in the prompt's `extra_data`. */
  extraData?: Record<string, unknown> | undefined;
}

/** What happens while a prompt runs, in this order: accepted, started, (progress | preview | output)*. */
export type RunEvent =
  /** `promptId` is the one the server uses; `nodeErrors` name branches that it will skip (16). */
  | { type: 'accepted'; promptId: string; nodeErrors: NodeErrors }
  | { type: 'started' }
  | { type: 'progress'; progress: RunProgress }
  | { type: 'preview'; node: string; mime: string; bytes: Uint8Array }
  | { type: 'output'; output: RunOutput };

export interface RunLimits {
  /** Milliseconds without a word about a prompt before we ask how it is. */
  silenceMs: number;
  /** Milliseconds between questions while its events cannot reach us (their socket was lost). */
  blindPollMs: number;
  /** Milliseconds that the backend may leave our questions unanswered before the prompt counts as lost. */
  lostAfterMs: number;
  /** Milliseconds after which a prompt whose submission is in doubt counts as not accepted if nothing shows it. */
  doubtMs: number;
  /** Milliseconds after `execution_success` in which the history entry should be there (24). */
  historyGraceMs: number;
}

export const RUN_LIMITS: RunLimits = {
  silenceMs: 15_000,
  blindPollMs: 500,
  lostAfterMs: 30_000,
  doubtMs: 2_000,
  historyGraceMs: 1_000,
};

/** What a run needs of its ComfyUI. */
export interface RunContext {
  http: ComfyHttp;
  socket: ComfySocket;
  router: PromptRouter;
  canceller: PromptCanceller;
  limits: RunLimits;
}

/** Its pictures exist only in frames: neither `/history` nor the disk has them (13, 13b). */
const SOCKET_OUTPUT_CLASS = 'SaveImageWebsocket';

/**
 * Runs a workflow: cold, subscribing submits it, unsubscribing before the end cancels it on the server. Completes on
 * success.
 *
 * The socket is a hint, the history is the truth: after a drop, after a silence, or where the events do not name the
 * wanted output, `/history` and `/queue` are asked.
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

class PromptRun {
  private readonly subscriptions = new Subscription();
  private readonly meter: ProgressMeter;
  private readonly delivered = new Set<string>();
  private readonly heard = new Set<string>();
  /** Ids whose events we listen to: ours, and on old servers the one they chose. */
  private promptId: string;
  private submission: Promise<void> = Promise.resolve();
  private accepted = false;
  private started = false;
  private succeeded = false;
  /** All is said; only the reply to `POST /prompt` is still awaited. */
  private finishing = false;
  private ended = false;
  /** Events may have been missed: only the history can be believed. */
  private doubt = false;
  private asking = false;
  /** A question that came up while another was under way: milliseconds after that one. */
  private nextQuestionMs: number | undefined;
  private unansweredSince: number | undefined;
  private missingSince: number | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly context: RunContext,
    private readonly request: RunRequest,
    private readonly subscriber: Subscriber<RunEvent>,
  ) {
    this.promptId = request.promptId;
    this.meter = new ProgressMeter(request.workflow);
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
        if (state.clientId !== clientId) this.loseSight();
      }),
    );
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
    const { workflow, promptId, extraData } = this.request;
    try {
      const reply = await this.context.http.submit({
        workflow,
        clientId,
        promptId,
        ...(extraData === undefined ? {} : { extraData }),
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
    if (promptId !== this.promptId) {
      this.promptId = promptId;
      this.listen(promptId);
    }
    this.waitForSigns();
  }

  private listen(promptId: string): void {
    this.subscriptions.add(this.context.router.watch(promptId).subscribe((message) => this.hear(message)));
  }

  private hear(message: PromptMessage): void {
    if (this.ended || this.finishing) return;
    this.waitForSigns();
    const progress = this.meter.take(message);
    switch (message.type) {
      case 'execution_start':
        this.begin();
        break;
      case 'executed':
        this.heard.add(message.displayNode);
        for (const output of readNodeOutput(message.node, message.displayNode, message.output))
          this.deliver(output);
        break;
      case 'image':
        this.takeImage(message);
        break;
      case 'execution_success':
        this.succeeded = true;
        if (this.hasAllOutputs()) this.complete();
        // Usually `executing: null` follows at once; ask if it is lost.
        else this.askIn(this.context.limits.historyGraceMs);
        break;
      case 'execution_error':
        this.fail(executionError(message.failure));
        break;
      case 'execution_interrupted':
        this.fail(interruptedError());
        break;
      case 'executing':
        if (message.node === null) this.askIn(0);
        break;
      case 'execution_cached':
      case 'progress_state':
      case 'progress':
        break;
    }
    if (progress !== undefined) this.emit({ type: 'progress', progress });
  }

  private takeImage(message: PromptMessage & { type: 'image' }): void {
    const { node, displayNode, mime, bytes } = message;
    if (this.request.workflow[displayNode]?.class_type === SOCKET_OUTPUT_CLASS) {
      this.heard.add(displayNode);
      this.emit({
        type: 'output',
        output: { node, displayNode, kind: 'images', form: 'memory', mime, bytes },
      });
    } else {
      this.emit({ type: 'preview', node: displayNode, mime, bytes });
    }
  }

  private begin(): void {
    if (this.started) return;
    this.started = true;
    this.emit({ type: 'started' });
  }

  /** Our events may be going nowhere: from here on the history is asked. */
  private loseSight(): void {
    if (this.ended) return;
    this.doubt = true;
    this.askIn(0);
  }

  /** The usual waiting: long while events come, short while they cannot. */
  private waitForSigns(): void {
    const { silenceMs, blindPollMs } = this.context.limits;
    this.askIn(this.doubt ? blindPollMs : silenceMs);
  }

  private askIn(ms: number): void {
    if (this.ended || this.finishing) return;
    if (this.asking) {
      this.nextQuestionMs = Math.min(ms, this.nextQuestionMs ?? ms);
      return;
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.ask(), ms);
  }

  /** Asks the server how the prompt is; settles it, or waits on. Never rejects. */
  private async ask(): Promise<void> {
    this.asking = true;
    try {
      const found = await inquire(this.context.http, this.promptId, this.request.promptId, this.accepted);
      this.unansweredSince = undefined;
      if (!this.ended && !this.finishing) this.settle(found);
    } catch (error) {
      this.doubt = true;
      this.unansweredSince ??= Date.now();
      if (Date.now() - this.unansweredSince >= this.context.limits.lostAfterMs) this.lose(error);
    } finally {
      this.asking = false;
      const next = this.nextQuestionMs;
      this.nextQuestionMs = undefined;
      if (next === undefined) this.waitForSigns();
      else this.askIn(next);
    }
  }

  private settle(found: Finding): void {
    if (found.is === 'waiting') {
      if (!this.accepted) this.accept(found.promptId, undefined);
      if (found.running) this.begin();
      return;
    }
    if (found.is === 'missing') {
      // A request in doubt may still be on its way into the queue.
      this.missingSince ??= Date.now();
      if (this.accepted || Date.now() - this.missingSince >= this.context.limits.doubtMs) this.lose();
      return;
    }
    if (!this.accepted) this.accept(found.promptId, undefined);
    const { outcome } = found;
    switch (outcome.ended) {
      case 'error':
        return this.fail(executionError(outcome.failure));
      case 'interrupted':
        return this.fail(interruptedError());
      case 'success':
        this.begin();
        for (const output of outcome.outputs) this.deliver(output);
        if (this.doubt && this.wantsSocketOutput()) return this.lose();
        return this.complete();
    }
  }

  private lose(cause?: unknown): void {
    // Should the prompt turn up after all, nobody waits for it any more.
    if (!this.accepted) this.cancel();
    this.fail(lostError(this.accepted, cause));
  }

  /** An event and the history can name the same output: it is delivered once. */
  private deliver(output: RunOutput): void {
    const what = output.form === 'file' ? output.file : output.form === 'text' ? output.text : undefined;
    const key = JSON.stringify([output.node, output.kind, what]);
    if (this.delivered.has(key)) return;
    this.delivered.add(key);
    this.emit({ type: 'output', output });
  }

  private hasAllOutputs(): boolean {
    return this.succeeded && !this.doubt && this.wantedNodes().every((node) => this.heard.has(node));
  }

  /** The nodes that must have spoken for the events to be believed; nobody links to an output node as a rule. */
  private wantedNodes(): string[] {
    const { outputNode, workflow } = this.request;
    if (outputNode !== undefined) return [outputNode];
    const linked = new Set<string>();
    for (const node of Object.values(workflow)) {
      for (const input of Object.values(node.inputs ?? {})) {
        const link = linkOf(input);
        if (link !== undefined) linked.add(link.node);
      }
    }
    return Object.keys(workflow).filter((id) => !linked.has(id));
  }

  private wantsSocketOutput(): boolean {
    const { workflow } = this.request;
    return this.wantedNodes().some((node) => workflow[node]?.class_type === SOCKET_OUTPUT_CLASS);
  }

  private emit(event: RunEvent): void {
    if (!this.ended) this.subscriber.next(event);
  }

  private complete(): void {
    if (this.ended || this.finishing) return;
    this.finishing = true;
    clearTimeout(this.timer);
    // The reply may come after the last event; it can say that the wanted branch was skipped.
    void this.submission.then(() => {
      if (this.ended) return;
      this.stop();
      this.subscriber.complete();
    });
  }

  private fail(error: ComfyError): void {
    if (this.ended) return;
    this.stop();
    this.subscriber.error(error);
  }

  private stop(): void {
    this.ended = true;
    clearTimeout(this.timer);
    this.subscriptions.unsubscribe();
  }
}
