import { statfs } from 'node:fs/promises';
import { diskFull, onDisk } from './fs-error.js';

/** One `statfs` a second is plenty: 64 MiB of reserve outlast a second of writing on most disks. */
const FRESH_MS = 1_000;

/** Refuses to write the last of a disk: a full one breaks more than this service. */
export class FreeSpace {
  private freeBytes = 0;
  private measuredAt = -Infinity;

  constructor(
    private readonly directory: string,
    /** Bytes to leave free; 0 switches the guard off. */
    private readonly minFreeBytes: number,
  ) {}

  /**
   * @param size bytes about to be written, as far as known
   * @throws StorageError `storage_full`
   */
  async ensure(size: number): Promise<void> {
    if (this.minFreeBytes === 0) return;
    if (performance.now() - this.measuredAt > FRESH_MS) await this.measure();
    if (this.freeBytes - size < this.minFreeBytes) throw diskFull();
  }

  /** Is there room now, whatever was measured before? */
  async isLow(): Promise<boolean> {
    return (await this.measure()) < this.minFreeBytes;
  }

  private async measure(): Promise<number> {
    const { bavail, bsize } = await onDisk(statfs(this.directory));
    this.freeBytes = bavail * bsize;
    this.measuredAt = performance.now();
    return this.freeBytes;
  }
}
