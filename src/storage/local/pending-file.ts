import { type FileHandle, unlink } from 'node:fs/promises';
import { codeOf, onDisk } from './fs-error.js';
import type { OutputFolder } from './output-folder.js';

/** A file that is being written and that nobody can see yet. Ends with `publish` or `discard`. */
export class PendingFile {
  private constructor(
    private readonly folder: OutputFolder,
    private readonly handle: FileHandle,
    private readonly path: string,
  ) {}

  /** @throws StorageError */
  static async create(folder: OutputFolder): Promise<PendingFile> {
    const { handle, path } = await onDisk(folder.createTemporary());
    return new PendingFile(folder, handle, path);
  }

  /** @throws StorageError */
  async write(bytes: Uint8Array): Promise<void> {
    let offset = 0;
    // A disk that fills up takes a part first and says ENOSPC only to the rest.
    while (offset < bytes.length) {
      const { bytesWritten } = await onDisk(this.handle.write(bytes, offset, bytes.length - offset));
      offset += bytesWritten;
    }
  }

  /**
   * Gives the whole file its name, all or nothing.
   * @param md5 of all its bytes, in hex
   * @returns the name
   * @throws StorageError
   */
  async publish(makeName: () => string, md5: string): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      const name = makeName();
      try {
        await this.folder.publish({ handle: this.handle, path: this.path, name, md5 });
        return name;
      } catch (error) {
        if (codeOf(error) !== 'EEXIST' || attempt === 3) throw await onDisk(Promise.reject(error as Error));
      }
    }
  }

  /** Leaves nothing behind. Never throws; what cannot be removed now is swept at the next start. */
  async discard(): Promise<void> {
    await this.handle.close().catch(() => undefined);
    await unlink(this.path).catch(() => undefined);
  }
}
