import { ComfyError } from '../comfy.error.js';
import { BackendError, PromptRejected } from './backend.error.js';
import type { ExecutionFailure } from './messages.js';
import { readNodeErrors } from './node-errors.js';
import { redact } from './redact.js';

/** Why `POST /prompt` did not lead to a prompt. */
export function rejectedError(error: unknown): ComfyError {
  if (error instanceof PromptRejected) {
    const detail = error.details === '' ? '' : ` (${redact(error.details)})`;
    return new ComfyError(
      'invalid_workflow',
      `ComfyUI refuses the workflow: ${redact(error.message)}${detail}`,
      {
        nodeErrors: readNodeErrors(error.nodeErrors),
      },
    );
  }
  if (error instanceof BackendError && (error.status === 500 || error.status === 413)) {
    // What we send is always JSON, so a 500 says that reading the graph broke ComfyUI (it does so on what it does not expect).
    const why = error.status === 413 ? 'it is too large for ComfyUI' : 'ComfyUI failed while reading it';
    return new ComfyError('invalid_workflow', `ComfyUI refuses the workflow: ${why}.`, { cause: error });
  }
  return new ComfyError('no_backend', 'The backend did not take the prompt. Try again.', { cause: error });
}

/** A node failed (05a), or the memory did not suffice (05b). */
export function executionError(failure: ExecutionFailure): ComfyError {
  const { node, nodeType, exceptionType, exceptionMessage } = failure;
  const outOfMemory = /OutOfMemory/i.test(exceptionType) || /\bout of memory\b/i.test(exceptionMessage);
  const where = node === '' ? 'A node' : `Node ${node} (${nodeType})`;
  const message = redact(exceptionMessage).trim();
  const details = redact(exceptionType);
  return new ComfyError(
    outOfMemory ? 'out_of_memory' : 'node_execution_error',
    outOfMemory
      ? `${where} ran out of memory on the backend. Ask for smaller or fewer pictures.`
      : `${where} failed: ${details}${message === '' ? '' : `: ${message}`}`,
    node === ''
      ? {}
      : {
          nodeErrors: {
            [node]: { class_type: nodeType, errors: [{ type: 'execution_error', message, details }] },
          },
        },
  );
}

/** Somebody stopped the prompt in ComfyUI itself, not through us. */
export function interruptedError(): ComfyError {
  return new ComfyError('interrupted', 'The job was interrupted on the backend by somebody else.');
}

/** Neither in the queue nor in the history: the backend restarted, or somebody deleted the prompt. */
export function lostError(accepted: boolean, cause?: unknown): ComfyError {
  return accepted
    ? new ComfyError('backend_lost', 'The backend was lost while the job ran.', { cause })
    : new ComfyError('no_backend', 'The backend was lost before it took the job. Try again.', { cause });
}
