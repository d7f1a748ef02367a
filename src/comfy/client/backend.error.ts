/**
 * What can go wrong between us and one ComfyUI.
 * `unreachable`: no connection, the request was not carried out. `broken`: the connection failed while the request was
 * under way, so it may have been carried out. `timeout`: the same, by silence. `status`: an HTTP status that was not
 * expected. `unreadable`: the status was right, but the body is not what ComfyUI writes, as with the page of a proxy or an
 * answer that was cut off; nothing follows from it.
 */
export type BackendFault = 'unreachable' | 'broken' | 'timeout' | 'status' | 'unreadable';

/** Statuses with which a proxy says that ComfyUI did not answer a request that it may have got. */
const PROXY_STATUSES: ReadonlySet<number | undefined> = new Set([502, 504]);

/** Codes of a connection that fails at once, because nothing is there to take it. */
const NOBODY_THERE: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

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
    if (this.fault === 'status') return PROXY_STATUSES.has(this.status);
    return this.fault !== 'unreachable';
  }

  /**
   * Does nobody listen there? True where the connection was refused, or has no route or host; also where a proxy says the same
   * of what is behind it (502, 503).
   */
  get refused(): boolean {
    if (this.fault === 'status') return this.status === 502 || this.status === 503;
    return this.fault === 'unreachable' && NOBODY_THERE.has(codeOf(this.cause));
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

/** The code of a failed connection; where several addresses were tried, Node.js gives the code to the whole. */
function codeOf(cause: unknown): unknown {
  return (cause as NodeJS.ErrnoException | undefined)?.code;
}
