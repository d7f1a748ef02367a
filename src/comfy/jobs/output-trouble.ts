import { ComfyError } from '../comfy.error.js';
import type { JobWarning } from './job-warning.js';

/** Why one file cannot be had. `gone` and `cached`: it is not on the disk; `not_ours`, `unreachable`, `refused`: see the messages. */
export type TroubleReason = 'gone' | 'cached' | 'not_ours' | 'unreachable' | 'refused';

/** One file cannot be had, and the backend is not to blame: a warning where other files are left, else the end of the try. */
export class OutputTrouble extends Error {
  override readonly name = 'OutputTrouble';

  constructor(
    readonly reason: TroubleReason,
    /** For the caller. */
    message: string,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }

  warning(node: string): JobWarning {
    const missing = this.reason === 'gone' || this.reason === 'cached';
    return { code: missing ? 'output_missing' : 'output_rejected', message: this.message, node };
  }

  /** Where nothing wanted is left. */
  toError(node: string): ComfyError {
    const message = `Node ${node}: ${this.message}`;
    switch (this.reason) {
      case 'cached':
        // The cache names it; once that is emptied the node makes it again (23b).
        return new ComfyError('no_output', message, { reason: 'output_gone', cause: this.cause });
      case 'gone':
      case 'refused':
        return new ComfyError('no_output', message, { cause: this.cause });
      case 'not_ours':
      case 'unreachable':
        return new ComfyError('output_rejected', message, { cause: this.cause });
    }
  }
}
