import { StateError } from '../../state/index.js';
import { StorageError } from '../../storage/index.js';
import { ComfyError } from '../comfy.error.js';
import type { JobFailure } from './job.types.js';

/** What the caller may know of an error. */
export function toFailure(error: unknown): JobFailure {
  if (error instanceof ComfyError) {
    const retryable =
      error.code === 'no_backend' || error.code === 'backend_lost' || error.code === 'shutting_down';
    const { code, message, nodeErrors } = error;
    return { code, message, retryable, ...(nodeErrors === undefined ? {} : { nodeErrors }) };
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
