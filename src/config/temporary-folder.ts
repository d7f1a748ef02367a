import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { tmpdir } from 'node:os';

/** @returns a line for the log if the system's folder for temporary files cannot be written to */
export async function temporaryFolderWarning(folder = tmpdir()): Promise<string | undefined> {
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    return (
      `The folder for temporary files ${JSON.stringify(folder)} cannot be written to (${code}): inputs by URL and image conversion ` +
      'will fail. Mount a writable folder there, in a container with a read-only root a tmpfs, or set TMPDIR to another folder.'
    );
  }
}
