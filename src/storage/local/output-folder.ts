import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, lstat, mkdir, open, opendir, realpath, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DirectorySync } from './directory-sync.js';
import { codeOf } from './fs-error.js';

/** Half-written files older than this are left over from a crash; no write takes as long. Milliseconds. */
const STALE_MS = 3_600_000;

/** What SMB, some NFS and exFAT say to `link`. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV']);

/** The folder of finished files, and `.tmp` inside it, on the same file system, for files that are being written. */
export class OutputFolder {
  private readonly temporary: string;
  private links = true;
  /** What the disk said to the last flush that failed; told by the next `probe`. */
  private flushFailure: unknown;

  private constructor(
    /** Absolute, free of symlinks. */
    readonly root: string,
    private names: DirectorySync,
  ) {
    this.temporary = join(root, '.tmp');
  }

  /**
   * Makes the folder ready and proves with a file that it can be written to; leftovers of a crash are removed.
   * @throws Error naming the folder and what to do
   */
  static async prepare(directory: string): Promise<OutputFolder> {
    let folder: OutputFolder | undefined;
    try {
      await mkdir(directory, { recursive: true });
      const root = await realpath(directory);
      folder = new OutputFolder(root, await DirectorySync.of(root));
      await folder.prepareTemporary();
      await folder.probe();
      await folder.sweep();
      return folder;
    } catch (error) {
      await folder?.close();
      const code = codeOf(error);
      throw new Error(
        `The output folder ${JSON.stringify(directory)} cannot be used (${code}). ` +
          'Files are kept there, so it must be a folder that this process may write to; set OUTPUT_DIR to another one, or give it to the user the server runs as.',
        { cause: error },
      );
    }
  }

  pathOf(key: string): string {
    return join(this.root, key);
  }

  /** A new, empty file under a name nobody has. */
  async createTemporary(): Promise<{ handle: FileHandle; path: string }> {
    const path = join(this.temporary, `${process.pid}-${randomBytes(9).toString('hex')}`);
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
    try {
      return { handle: await open(path, flags, 0o644), path };
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      // Somebody emptied the folder while we run. The folder itself is not made again: it may be an unmounted volume.
      await this.prepareTemporary();
      await this.names.close();
      this.names = await DirectorySync.of(this.root);
      return { handle: await open(path, flags, 0o644), path };
    }
  }

  /**
   * Gives a finished temporary file its name. `link` never overwrites, `rename` would without a word.
   * @throws `EEXIST` where the name is taken
   */
  async publish(path: string, key: string): Promise<void> {
    const target = this.pathOf(key);
    if (this.links) {
      try {
        await link(path, target);
        return;
      } catch (error) {
        if (!NO_LINKS.has(codeOf(error))) throw error;
        this.links = false; // Names are random, so `rename` is safe enough where nothing better is to be had.
      }
    }
    await rename(path, target);
  }

  /**
   * Makes names durable that were published before the call, within moments and for many at once. A power cut before
   * that can cost the newest names, never half a file; waiting for it would cost every caller a flush of the disk.
   */
  flushNamesSoon(): void {
    this.names.flush().catch((error: unknown) => (this.flushFailure = error));
  }

  /** Can a file be written now, and were the last ones made durable? */
  async probe(): Promise<void> {
    if (this.flushFailure !== undefined) {
      const failure = this.flushFailure;
      this.flushFailure = undefined;
      throw failure;
    }
    const { handle, path } = await this.createTemporary();
    try {
      await handle.writeFile('probe');
    } finally {
      await handle.close();
      await rm(path, { force: true });
    }
  }

  async close(): Promise<void> {
    await this.names.close();
  }

  private async prepareTemporary(): Promise<void> {
    await mkdir(this.temporary).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
    // A link planted here would send every write elsewhere.
    if (!(await lstat(this.temporary)).isDirectory()) throw new Error(`${this.temporary} is not a folder`);
  }

  private async sweep(): Promise<void> {
    for await (const entry of await opendir(this.temporary)) {
      if (!entry.isFile()) continue;
      const path = join(this.temporary, entry.name);
      const found = await lstat(path).catch(() => undefined); // Another process sweeps as well.
      if (found !== undefined && Date.now() - found.mtimeMs > STALE_MS) await rm(path, { force: true });
    }
  }
}
