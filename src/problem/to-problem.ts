import { HttpException } from '@nestjs/common';
import { AssetError } from '../assets/index.js';
import { ComfyError, type JobFailure, type JobState } from '../comfy/index.js';
import { StateError } from '../state/index.js';
import { StorageError } from '../storage/index.js';
import { ProblemException, type ProblemExtras } from './problem.exception.js';
import type { ProblemCode } from './problem.table.js';

/** Seconds: a place in the line is free again soon, a backend or a storage takes longer to come back. */
const RETRY_AFTER: Partial<Record<ProblemCode, number>> = {
  queue_full: 5,
  no_backend: 15,
  shutting_down: 15,
  state_error: 15,
  storage_error: 30,
};

/** The field of a request that holds the workflow. */
export type WorkflowField = 'workflow_data' | 'workflow';

const CODE_BY_STATUS: Readonly<Record<number, ProblemCode>> = {
  400: 'invalid_request',
  404: 'not_found',
  405: 'method_not_allowed',
  408: 'request_timeout',
  412: 'precondition_failed',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
};

/** The problem of a job that failed. @param root what the face calls the workflow in its requests */
export function failureToProblem(
  failure: JobFailure,
  extras: ProblemExtras = {},
  root: WorkflowField = 'workflow_data',
): ProblemException {
  const code: ProblemCode = failure.code === 'file_not_found' ? 'not_found' : failure.code;
  const comesBack = code === 'storage_error' && failure.retryable;
  const waits = code !== 'storage_error' || comesBack;
  return new ProblemException(
    code,
    messageOf(failure, root),
    {
      ...extras,
      ...errorsOf(failure, root),
      ...(failure.nodeErrors === undefined ? {} : { node_errors: failure.nodeErrors }),
      ...(waits && RETRY_AFTER[code] !== undefined ? { retry_after: RETRY_AFTER[code] } : {}),
    },
    comesBack ? 503 : undefined,
  );
}

/** Why a job came to no good end; undefined where it did, or has not ended yet. */
export function endProblem(
  { status, failure }: Pick<JobState, 'status' | 'failure'>,
  extras: ProblemExtras = {},
): ProblemException | undefined {
  if (failure !== undefined) return failureToProblem(failure, extras);
  if (status !== 'cancelled') return undefined;
  return new ProblemException('cancelled', 'The job was cancelled before it was done.', extras);
}

/** What was wrong, and where in the request. */
export function messageOf({ message, at }: JobFailure, root: WorkflowField = 'workflow_data'): string {
  return at === undefined ? message : `${fieldOf(at, root)}: ${message}`;
}

function errorsOf({ message, at }: JobFailure, root: WorkflowField): Pick<ProblemExtras, 'errors'> {
  return at === undefined ? {} : { errors: [{ field: fieldOf(at, root), message }] };
}

function fieldOf({ node, input }: NonNullable<JobFailure['at']>, root: WorkflowField): string {
  return `${root}.${node}.inputs.${input}`;
}

/** Whatever was thrown, as a problem; undefined for what nobody expected. */
export function toProblem(error: unknown, root?: WorkflowField): ProblemException | undefined {
  if (error instanceof ProblemException) return error;
  if (error instanceof ComfyError) {
    const { code, message, nodeErrors, at } = error;
    const where = { ...(nodeErrors ? { nodeErrors } : {}), ...(at ? { at } : {}) };
    return failureToProblem({ code, message, retryable: false, ...where }, {}, root);
  }
  if (error instanceof StorageError) {
    return failureToProblem({ code: error.code, message: error.message, retryable: error.retryable });
  }
  if (error instanceof AssetError) return new ProblemException(error.code, error.message);
  if (error instanceof StateError) {
    return new ProblemException('state_error', error.message, { retry_after: RETRY_AFTER.state_error });
  }
  if (error instanceof HttpException) {
    const status = error.getStatus();
    const code = CODE_BY_STATUS[status];
    if (code !== undefined) return new ProblemException(code, detailOf(code, error.message));
    return status < 500 ? new ProblemException('invalid_request', error.message) : undefined;
  }
  return fromMiddleware(error);
}

/** Express's parsers and router throw plain errors with a status (`http-errors`). */
function fromMiddleware(error: unknown): ProblemException | undefined {
  const status = (error as { status?: unknown } | undefined)?.status;
  if (typeof status !== 'number' || status < 400 || status >= 500) return undefined;
  const code = CODE_BY_STATUS[status] ?? 'invalid_request';
  return new ProblemException(code, detailOf(code, 'The request cannot be read.'));
}

function detailOf(code: ProblemCode, message: string): string {
  switch (code) {
    case 'not_found':
      return 'There is nothing at this address. The addresses are listed at /docs.';
    case 'precondition_failed':
      return 'The file is not as If-Match or If-Unmodified-Since says.';
    case 'payload_too_large':
      return 'The body is larger than this server takes (MAX_BODY_MB).';
    case 'unsupported_media_type':
      return 'Send the body as application/json in UTF-8.';
    default:
      return message;
  }
}
