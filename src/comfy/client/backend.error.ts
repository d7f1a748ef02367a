/**
 * What can go wrong between us and one ComfyUI.
 * `unreachable`: no connection, the request was not carried out. `broken`: the connection failed while the request was
 * under way, so it may have been carried out. `timeout`: the same, by silence. `status`: it answered, but not as
 * expected. `busy`: our own limit on connections to it.
 */
export type BackendFault = 'unreachable' | 'broken' | 'timeout' | 'status';

/** Talking to one ComfyUI failed. Holds no address and no upstream body. */
export class BackendError extends Error {
  override readonly name = 'BackendError';

  constructor(
    readonly fault: BackendFault,
    message: string,
    /** HTTP status, for `status`. */
    readonly status?: number,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }

  /** May the request have been carried out although no good answer came? */
  get inDoubt(): boolean {
    return this.fault === 'broken' || this.fault === 'timeout';
  }
}

/** ComfyUI refused a prompt with 400: its own words, already parsed. */
export class PromptRejected extends Error {
  override readonly name = 'PromptRejected';

  constructor(
    /** ComfyUI's kind, e.g. `prompt_outputs_failed_validation`. */
    readonly type: string,
    message: string,
    readonly details: string,
    /** As it came; read with `readNodeErrors`. */
    readonly nodeErrors: unknown,
  ) {
    super(message);
  }
}
