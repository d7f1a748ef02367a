import { codeOf, fromFsError, onDisk } from './fs-error.js';
import type { OutputFolder } from './output-folder.js';

/** A file that is being written and that nobody can see yet. Ends with `publish` or `discard`. */
export class PendingFile {
  private constructor(
    private readonly folder: OutputFolder,
    private readonly fd: number,
    private readonly path: string,
  ) {}

  /** @throws StorageError */
  static async create(folder: OutputFolder): Promise<PendingFile> {
    const { fd, path } = await onDisk(folder.createTemporary());
    return new PendingFile(folder, fd, path);
  }

  /** @throws StorageError */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      let offset = 0;
      // A disk that fills up takes a part first and says ENOSPC only to the rest.
      while (offset < bytes.length) offset += await this.folder.ops.write(this.fd, bytes, offset);
    } catch (error) {
      throw fromFsError(error);
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
        await this.folder.publish({ fd: this.fd, path: this.path, name, md5 });
        return name;
      } catch (error) {
        if (codeOf(error) !== 'EEXIST' || attempt === 3) throw fromFsError(error);
      }
    }
  }

  /** Leaves nothing behind. Never throws; what cannot be removed now is swept at the next start. */
  async discard(): Promise<void> {
    await this.folder.drop(this.fd, this.path);
  }
}
