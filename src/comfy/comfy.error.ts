/** Stable codes of everything that can end a job other than success; part of the API. */
export type ComfyErrorCode =
  | 'invalid_workflow'
  | 'workflow_format_ui'
  | 'output_node_not_found'
  | 'missing_asset'
  | 'invalid_input'
  | 'input_unavailable'
  | 'no_output'
  | 'output_rejected'
  | 'conversion_failed'
  | 'queue_full'
  | 'node_execution_error'
  | 'out_of_memory'
  | 'interrupted'
  | 'cancelled'
  | 'no_backend'
  | 'backend_lost'
  | 'job_timeout'
  | 'job_stalled'
  | 'shutting_down';

/**
 * Finer than the code, for whoever decides what happens next; not part of the API.
 * `output_gone`: the run succeeded, but a file it names is not there (23b). `device`, `disk`: the exception is of a kind that a broken
 * device or disk raises; a health check tells whether it is one. `sick`: the health check of the backend failed. `not_begun`: it waited
 * there for too long. `in_doubt`: the prompt was sent, and whether it was taken is not known. `struck`: an order of ours to
 * stop another job hit it. `not_found_again`: we restarted, and the prompt that we had given away is not there any more.
 * `deleted`: the prompt is gone although the server has not restarted, so somebody took it out of its queue (08).
 */
export type ComfyErrorReason =
  | 'output_gone'
  | 'device'
  | 'disk'
  | 'sick'
  | 'not_begun'
  | 'in_doubt'
  | 'struck'
  | 'not_found_again'
  | 'deleted';

/** What is wrong with one node, in the words of ComfyUI. */
export interface NodeError {
  /** ComfyUI's kind, e.g. `value_not_in_list`, `required_input_missing` (recording 04 shows fifteen). */
  type: string;
  message: string;
  /** ComfyUI's detail; empty where it says nothing or where it would leak. */
  details: string;
  /** The input it is about, where it is about one. */
  input?: string;
}

/** Errors by node id. */
export type NodeErrors = Record<string, { class_type: string; errors: NodeError[] }>;

/** One input of one node. */
export interface NodeInput {
  node: string;
  input: string;
}

export interface ComfyErrorContext {
  /** Errors by node, for `invalid_workflow`, `node_execution_error` and `out_of_memory`. */
  nodeErrors?: NodeErrors;
  /** The input it is about; the message is then the rest of a sentence, or one of its own. */
  at?: NodeInput;
  reason?: ComfyErrorReason | undefined;
  cause?: unknown;
}

/** The end of a job in our own words: safe to show to the caller as it is. */
export class ComfyError extends Error {
  override readonly name = 'ComfyError';
  readonly nodeErrors: NodeErrors | undefined;
  readonly at: NodeInput | undefined;
  readonly reason: ComfyErrorReason | undefined;

  constructor(
    readonly code: ComfyErrorCode,
    /** What was wrong and what to do, for the caller: no addresses, paths, stacks or upstream bodies. */
    message: string,
    context: ComfyErrorContext = {},
  ) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.nodeErrors = context.nodeErrors;
    this.at = context.at;
    this.reason = context.reason;
  }
}
