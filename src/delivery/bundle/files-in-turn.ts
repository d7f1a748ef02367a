import type { Readable } from 'node:stream';
import { openFile, type Storage } from '../../storage/index.js';

/** Opens stored files one after the other, and closes the one that is open when nobody reads on. */
export class FilesInTurn {
  private current: Readable | undefined;
  private closed = false;

  constructor(private readonly storage: Storage) {}

  /** @throws StorageError; Error after `close` */
  async open(key: string): Promise<Readable> {
    const { stream } = await openFile(this.storage, key);
    if (this.closed) {
      stream.destroy();
      throw new Error('Nobody reads on');
    }
    this.current = stream;
    return stream;
  }

  close(): void {
    this.closed = true;
    this.current?.destroy();
  }
}
