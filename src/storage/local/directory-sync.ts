import { type FileHandle, open } from 'node:fs/promises';
import { codeOf } from './fs-error.js';

/** File systems that cannot flush a directory say one of these; there is nothing more to be had from them. */
const NO_DIRECTORY_SYNC = new Set(['EINVAL', 'EPERM', 'EISDIR', 'ENOTSUP', 'EOPNOTSUPP', 'EBADF', 'ENOSYS']);

/**
 * Makes names in a directory durable. The handle stays open, and puts that finish together share one flush: each
 * waits for one that began after its name was written, which is all that durability needs.
 */
export class DirectorySync {
  private running: Promise<void> | undefined;
  private next: Promise<void> | undefined;

  private constructor(private readonly handle: FileHandle | undefined) {}

  static async of(directory: string): Promise<DirectorySync> {
    const handle = await open(directory, 'r').catch((error: unknown) => {
      if (NO_DIRECTORY_SYNC.has(codeOf(error))) return undefined; // Windows opens no directories.
      throw error;
    });
    return new DirectorySync(handle);
  }

  flush(): Promise<void> {
    if (this.running === undefined) return this.start();
    // The running flush may have begun before our name was there; the one after it has not.
    this.next ??= this.running
      .catch(() => undefined)
      .then(() => {
        this.next = undefined;
        return this.start();
      });
    return this.next;
  }

  async close(): Promise<void> {
    await this.next?.catch(() => undefined);
    await this.running?.catch(() => undefined);
    await this.handle?.close();
  }

  private start(): Promise<void> {
    this.running = this.sync().finally(() => (this.running = undefined));
    return this.running;
  }

  private async sync(): Promise<void> {
    try {
      await this.handle?.sync();
    } catch (error) {
      if (!NO_DIRECTORY_SYNC.has(codeOf(error))) throw error;
    }
  }
}
