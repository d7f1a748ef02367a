import { StorageError } from '../storage.error.js';

/**
 * A failed file operation in our words. The messages reach callers, so they name no path.
 * @param error what `node:fs` threw; a StorageError is handed through
 */
export function fromFsError(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  const code = codeOf(error);
  const diagnosis = { errno: code, operation: (error as NodeJS.ErrnoException).syscall ?? 'unknown' };
  switch (code) {
    case 'ENOSPC': // Also: no inode left, with bytes free.
    case 'EDQUOT':
      return diskFull(diagnosis);
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
      return new StorageError(
        'storage_error',
        'read_only',
        'The output folder cannot be written to.',
        false,
        diagnosis,
      );
    case 'ENOENT':
    case 'ENOTDIR':
      return new StorageError('storage_error', 'config', 'The output folder is gone.', false, diagnosis);
    case 'EFBIG':
      return new StorageError(
        'storage_error',
        'too_large',
        'The file is larger than the disk takes.',
        false,
        diagnosis,
      );
    case 'EMFILE':
    case 'ENFILE':
      return new StorageError('storage_error', 'unavailable', 'Too many files are open.', true, diagnosis);
    default:
      return new StorageError(
        'storage_error',
        'unknown',
        'The disk refused to keep the file.',
        false,
        diagnosis,
      );
  }
}

export function diskFull(diagnosis: Record<string, string | number> = {}): StorageError {
  return new StorageError('storage_full', 'full', 'The disk of the output folder is full.', false, diagnosis);
}

export function fileNotFound(): StorageError {
  return new StorageError('file_not_found', 'not_found', 'There is no such file.');
}

export function codeOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === 'string' ? code : 'unknown';
}

/** Runs a file operation; whatever fails becomes a StorageError. */
export async function onDisk<T>(operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (error) {
    throw fromFsError(error);
  }
}
