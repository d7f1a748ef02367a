import type { FileHandle } from 'node:fs/promises';
import { unlink } from 'node:fs/promises';
import { codeOf, onDisk } from './fs-error.js';
import type { OutputFolder } from './output-folder.js';

/** A file that is being written and that nobody can see yet. Ends with `publish` or `discard`. */
export class PendingFile {
  private closed: Promise<void> | undefined;

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

  /** From here on the bytes survive a power cut, though under a temporary name. @throws StorageError */
  async flush(): Promise<void> {
    // Like fsync but for times of access; network file systems and quotas report their failures here.
    await onDisk(this.handle.datasync());
  }

  /**
   * Gives the file its name, all or nothing. Call `flush` first, else a crash may leave the name without bytes. The rest
   * is nothing that a caller has to wait for: the folder makes the name durable, the temporary one is swept up.
   * @returns the name
   * @throws StorageError
   */
  async publish(makeName: () => string): Promise<string> {
    const name = await onDisk(this.publishUnderFreeName(makeName));
    this.folder.flushNamesSoon();
    void this.discard();
    return name;
  }

  /** Leaves nothing behind. Never throws; what cannot be removed now is swept at the next start. */
  async discard(): Promise<void> {
    await this.close().catch(() => undefined);
    await this.forgetTemporary();
  }

  private async publishUnderFreeName(makeName: () => string): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      const name = makeName();
      try {
        await this.folder.publish(this.path, name);
        return name;
      } catch (error) {
        if (codeOf(error) !== 'EEXIST' || attempt === 3) throw error;
      }
    }
  }

  private close(): Promise<void> {
    this.closed ??= this.handle.close();
    return this.closed;
  }

  private async forgetTemporary(): Promise<void> {
    await unlink(this.path).catch(() => undefined); // Gone already where `rename` gave it its name.
  }
}
