import type { Observable } from 'rxjs';
import type { NodeErrors } from '../comfy.error.js';
import type { Workflow } from '../workflow/index.js';
import type { ComfyHttp } from './comfy-http.js';
import type { ComfySocket } from './comfy-socket.js';
import type { RunOutput } from './outputs.js';
import type { RunProgress } from './progress-meter.js';
import type { PromptCanceller } from './prompt-canceller.js';
import type { PromptRouter } from './prompt-router.js';
import type { QueueWatch } from './queue-watch.js';

/** A workflow to run once on one ComfyUI. */
export interface RunRequest {
  /** Lower-case UUID, fresh for each run: ComfyUI runs an id twice if it is sent twice (11b). */
  promptId: string;
  workflow: Workflow;
  /** An earlier process of ours has submitted it: it is not submitted, but looked for. */
  adopted?: boolean;
  /** The node whose outputs are wanted; without it, all that the workflow makes. */
  outputNode?: string | undefined;
  /**
   * Output nodes to which the run is limited (`partial_execution_targets`, 34a). Servers that do not know it run the whole
   * workflow. A node that is not an output node, or is not there, fails the prompt (34b).
   */
  targets?: readonly string[] | undefined;
  /**
   * Whether somebody watches the progress, and the current answer first; the finer progress is worked out only then.
   * Undefined: always.
   */
  watched$?: Observable<boolean> | undefined;
  /** Could another backend take the job at the moment? Then a dead one is given up sooner. @default false */
  hasAlternative?: (() => boolean) | undefined;
  /** It goes before everything that waits there. @default false */
  front?: boolean;
  /** Passed on in the prompt's `extra_data`. */
  extraData?: Record<string, unknown> | undefined;
}

/** How pictures come: as files that the server saves, or in frames of its socket. */
export type OutputsVia = 'files' | 'socket';

/** What happens while a prompt runs, in this order: way, accepted, started, (progress | preview | output)*. */
export type RunEvent =
  /** It is about to be submitted; how its pictures will come, where there was a choice. */
  | { type: 'way'; outputsVia: OutputsVia }
  /** `promptId` is the one the server uses; `nodeErrors` name branches that it will skip (16). */
  | { type: 'accepted'; promptId: string; nodeErrors: NodeErrors }
  /** `late`: it was found running or done; when it began is not known. */
  | { type: 'started'; late?: true }
  | { type: 'progress'; progress: RunProgress }
  | { type: 'preview'; node: string; mime: string; bytes: Uint8Array }
  | { type: 'output'; output: RunOutput }
  /** The server's own clock: when the execution began and ended, in ms since the epoch. Emitted before the run ends. */
  | { type: 'times'; start: number | undefined; end: number | undefined }
  /** A node got an ExecutionBlocker with a message, and made nothing; the prompt goes on (27b, 27c). */
  | { type: 'blocked'; node: string; nodeType: string; message: string }
  /** ComfyUI says that it runs it, in its queue or by an event that changes nothing: no progress, but no stall either. */
  | { type: 'alive' };

export interface RunLimits {
  /** Milliseconds without a word about a prompt before we ask how it is. */
  silenceMs: number;
  /** Milliseconds between questions while its events cannot reach us (their socket was lost). */
  blindPollMs: number;
  /**
   * Milliseconds that the backend may leave our questions unanswered before the prompt counts as lost; while the socket on
   * which the prompt was submitted is alive, it does not.
   */
  lostAfterMs: number;
  /** The same where the connection is refused at once and another backend can take the job. */
  refusedAfterMs: number;
  /** Milliseconds after which a prompt whose submission is in doubt counts as not accepted if nothing shows it. */
  doubtMs: number;
  /** Milliseconds that the end of a prompt waits for the reply to its submission. */
  replyGraceMs: number;
  /** Milliseconds after `execution_success` in which the history entry should be there (24). */
  historyGraceMs: number;
}

export const RUN_LIMITS: RunLimits = {
  silenceMs: 15_000,
  blindPollMs: 500,
  lostAfterMs: 30_000,
  refusedAfterMs: 3_000,
  doubtMs: 2_000,
  replyGraceMs: 1_000,
  historyGraceMs: 1_000,
};

/** What a run needs of its ComfyUI. */
export interface RunContext {
  http: ComfyHttp;
  socket: ComfySocket;
  router: PromptRouter;
  canceller: PromptCanceller;
  queueWatch: QueueWatch;
  limits: RunLimits;
}
