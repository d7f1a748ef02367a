import { StateError } from '../../state/index.js';
import { StorageError } from '../../storage/index.js';
import { ComfyError, type ComfyErrorCode } from '../comfy.error.js';
import type { JobFailure } from './job.types.js';

/** What may be over a little later. */
const PASSING: ReadonlySet<ComfyErrorCode> = new Set([
  'no_backend',
  'backend_lost',
  'shutting_down',
  'input_unavailable',
]);

/** What the caller may know of an error. */
export function toFailure(error: unknown): JobFailure {
  if (error instanceof ComfyError) {
    const { code, message, nodeErrors, at } = error;
    return {
      code,
      message,
      retryable: PASSING.has(code),
      ...(nodeErrors === undefined ? {} : { nodeErrors }),
      ...(at === undefined ? {} : { at }),
    };
  }
  if (error instanceof StorageError) {
    return { code: error.code, message: error.message, retryable: error.retryable };
  }
  if (error instanceof StateError) return { code: 'state_error', message: error.message, retryable: true };
  return { code: 'storage_error', message: 'The result could not be stored.', retryable: false };
}

/** For the log: our own words, and the cause's, which may name addresses. */
export function describeError(error: unknown): string {
  if (error instanceof StorageError) {
    return `${error.code} (${error.reason}) ${error.message} ${JSON.stringify(error.diagnosis)}`;
  }
  if (!(error instanceof ComfyError) && !(error instanceof StateError))
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  const cause = error.cause instanceof Error ? `; ${error.cause.message}` : '';
  return `${error instanceof ComfyError ? error.code : 'state_error'} ${error.message}${cause}`;
}
