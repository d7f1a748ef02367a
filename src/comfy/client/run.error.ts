import { ComfyError } from '../comfy.error.js';
import { BackendError, PromptRejected } from './backend.error.js';
import { exceptionKind } from './exceptions.js';
import type { ExecutionFailure } from './messages.js';
import { readNodeErrors } from './node-errors.js';
import { redact } from './redact.js';

/** Details of newer servers have a line for each mistake. */
function oneLine(text: string): string {
  return text.trim().replace(/\s*[\r\n]+\s*/g, '; ');
}

/** Why `POST /prompt` did not lead to a prompt. */
export function rejectedError(error: unknown): ComfyError {
  if (error instanceof PromptRejected) {
    const detail = error.details === '' ? '' : ` (${oneLine(redact(error.details))})`;
    return new ComfyError(
      'invalid_workflow',
      `ComfyUI refuses the workflow: ${oneLine(redact(error.message))}${detail}`,
      {
        nodeErrors: readNodeErrors(error.nodeErrors),
      },
    );
  }
  if (error instanceof BackendError && error.status === 413) {
    return new ComfyError('invalid_workflow', 'ComfyUI refuses the workflow: it is too large for ComfyUI.', {
      cause: error,
    });
  }
  return new ComfyError('no_backend', 'The backend did not take the prompt. Try again.', { cause: error });
}

/**
 * A node failed (05a), or the memory did not suffice (05b). The reasons `device` and `disk` ask for a health check of the backend; see
 * `exceptionKind`.
 */
export function executionError(failure: ExecutionFailure): ComfyError {
  const { node, nodeType, exceptionType, exceptionMessage } = failure;
  const kind = exceptionKind(failure);
  const where = node === '' ? 'A node' : `Node ${node} (${nodeType})`;
  const message = redact(exceptionMessage).trim();
  const details = redact(exceptionType);
  const nodeErrors =
    node === ''
      ? {}
      : {
          nodeErrors: {
            [node]: { class_type: nodeType, errors: [{ type: 'execution_error', message, details }] },
          },
        };
  if (kind === 'out_of_memory') {
    return new ComfyError(
      'out_of_memory',
      `${where} ran out of memory on the backend. Ask for smaller or fewer pictures.`,
      nodeErrors,
    );
  }
  return new ComfyError(
    'node_execution_error',
    `${where} failed: ${details}${message === '' ? '' : `: ${message}`}`,
    kind === 'node' ? nodeErrors : { reason: kind, ...nodeErrors },
  );
}

/** Somebody stopped the prompt in ComfyUI itself, not through us. */
export function interruptedError(): ComfyError {
  return new ComfyError('interrupted', 'The job was interrupted on the backend by somebody else.');
}

/** An old server stops whatever runs (07): this time an order to stop another job of ours hit this one. */
export function struckError(): ComfyError {
  return new ComfyError('backend_lost', 'The job was stopped on the backend in place of another one.', {
    reason: 'struck',
  });
}

/** Neither in the queue nor in the history: the backend restarted, or somebody deleted the prompt. */
export function lostError(accepted: boolean, cause?: unknown): ComfyError {
  return accepted
    ? new ComfyError('backend_lost', 'The backend was lost while the job ran.', { cause })
    : new ComfyError('no_backend', 'The backend was lost before it took the job. Try again.', {
        // Without a cause it did answer, and knew nothing of the prompt.
        reason: cause === undefined ? undefined : 'in_doubt',
        cause,
      });
}

/** Neither in the queue nor in the history of a server that has not restarted: somebody deleted the prompt (08, 29). */
export function deletedError(): ComfyError {
  return new ComfyError('backend_lost', 'Somebody deleted the prompt from the queue of the backend.', {
    reason: 'deleted',
  });
}

/** We restarted; its backend knows nothing of it, or is not there. */
export function notFoundAgainError(cause?: unknown): ComfyError {
  return new ComfyError('backend_lost', 'The job was not found again after a restart of the server.', {
    reason: 'not_found_again',
    cause,
  });
}

/** The wanted node was cached, and its output is named nowhere. */
export function unnamedOutputError(): ComfyError {
  return new ComfyError('backend_lost', 'The backend has the output cached, but does not name it.', {
    reason: 'output_gone',
  });
}
