import { type FileHandle, open } from 'node:fs/promises';

const WINDOW = 64 * 1024;

/** Reads a file from its start on, a few bytes here and there. Memory: one window. */
export class ByteReader {
  private window: Buffer = Buffer.alloc(0);
  private windowAt = 0;
  private at = 0;

  private constructor(
    private readonly file: FileHandle,
    private readonly size: number,
  ) {}

  /** Runs `work` with a file; closes it. */
  static async with<T>(path: string, work: (reader: ByteReader) => Promise<T>): Promise<T> {
    const file = await open(path);
    try {
      return await work(new ByteReader(file, (await file.stat()).size));
    } finally {
      await file.close();
    }
  }

  /** The next bytes, `WINDOW` at most; undefined where the file ends before. */
  async read(length: number): Promise<Buffer | undefined> {
    if (this.at + length > this.size) return undefined;
    if (this.at < this.windowAt || this.at + length > this.windowAt + this.window.length) {
      const { buffer, bytesRead } = await this.file.read(Buffer.allocUnsafe(WINDOW), 0, WINDOW, this.at);
      this.window = buffer.subarray(0, bytesRead);
      this.windowAt = this.at;
      if (bytesRead < length) return undefined;
    }
    const start = this.at - this.windowAt;
    this.at += length;
    return this.window.subarray(start, start + length);
  }

  /** @returns false where the file ends before */
  skip(length: number): boolean {
    this.at += length;
    return this.at <= this.size;
  }
}
