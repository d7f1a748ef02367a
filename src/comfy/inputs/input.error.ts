import { AssetError } from '../../assets/index.js';
import { OutboundError } from '../../outbound/index.js';
import { StorageError } from '../../storage/index.js';
import { ComfyError, type NodeInput } from '../comfy.error.js';
import { InlineDataError } from './inline-data.js';
import { OwnFileError } from './own-files.js';

/** @param what the rest of a sentence that begins with the input */
export function invalidInput(at: NodeInput, what: string, cause?: unknown): ComfyError {
  return new ComfyError('invalid_input', `${what}.`, { at, cause });
}

/** A mistake in what was given for an input, told with the input; anything else as it is. */
export function asInputError(error: unknown, at: NodeInput): unknown {
  if (error instanceof InlineDataError) return invalidInput(at, error.message, error);
  if (error instanceof OwnFileError) return invalidInput(at, error.message, error);
  if (error instanceof StorageError && error.reason === 'empty') return invalidInput(at, 'is empty', error);
  if (error instanceof AssetError && error.code === 'payload_too_large') {
    return new ComfyError('invalid_input', error.message, { at, cause: error });
  }
  if (error instanceof OutboundError) {
    const refused = error.code === 'not_allowed' || error.code === 'too_large';
    return new ComfyError(refused ? 'invalid_input' : 'input_unavailable', error.message, {
      at,
      cause: error,
    });
  }
  return error;
}
