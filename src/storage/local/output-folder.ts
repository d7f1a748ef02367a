import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, mkdir, opendir, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { unusableFolder } from '../../config/index.js';
import { DirectorySync } from './directory-sync.js';
import { datasync, type FileOps, fileOpsFor } from './file-ops.js';
import { Flusher } from './flusher.js';
import { codeOf } from './fs-error.js';
import { settleWitness, witnessOf } from './witness.js';

/** Half-written files older than this are left over from a crash; no write takes as long. Milliseconds. */
const STALE_MS = 3_600_000;

/** Milliseconds within which new names are flushed, many at once. */
const NAMES_AFTER_MS = 50;

/** What SMB, some NFS and exFAT say to `link`. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV']);

/** A file that is whole, under its temporary name. */
export interface PublishedFile {
  /** Open for writing; closed once the file is durable. */
  fd: number;
  path: string;
  /** The name it is to get. */
  name: string;
  /** Of all its bytes, in hex. */
  md5: string;
}

/** The folder of finished files, and `.tmp` inside it, on the same file system, for files that are being written. */
export class OutputFolder {
  private readonly temporary: string;
  private links = true;
  private readonly flusher = new Flusher();
  private namesTimer: NodeJS.Timeout | undefined;

  private constructor(
    /** Absolute, free of symlinks. */
    readonly root: string,
    readonly ops: FileOps,
    private names: DirectorySync,
  ) {
    this.temporary = join(root, '.tmp');
  }

  /**
   * Makes the folder ready and proves with a file that it can be written to; leftovers of a crash are removed.
   * @param ops how to reach the disk; told from the file system where not given
   * @throws StartError naming the folder and what to do
   */
  static async prepare(directory: string, ops?: FileOps): Promise<OutputFolder> {
    let folder: OutputFolder | undefined;
    try {
      await mkdir(directory, { recursive: true });
      const root = await realpath(directory);
      folder = new OutputFolder(root, ops ?? (await fileOpsFor(root)), await DirectorySync.of(root));
      await folder.prepareTemporary();
      await folder.probe();
      await folder.sweep();
      return folder;
    } catch (error) {
      await folder?.close();
      throw unusableFolder({ name: 'output folder', setting: 'OUTPUT_DIR', path: directory }, error);
    }
  }

  pathOf(key: string): string {
    return join(this.root, key);
  }

  /** A new, empty file under a name nobody has. */
  async createTemporary(): Promise<{ fd: number; path: string }> {
    const path = join(this.temporary, `${process.pid}-${randomBytes(9).toString('hex')}`);
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
    try {
      return { fd: await this.ops.open(path, flags, 0o644), path };
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      // Somebody emptied the folder while we run. The folder itself is not made again: it may be an unmounted volume.
      await this.prepareTemporary();
      await this.names.close();
      this.names = await DirectorySync.of(this.root);
      return { fd: await this.ops.open(path, flags, 0o644), path };
    }
  }

  /** Ends a temporary file that nobody wants. Never throws; what cannot be removed now is swept at the next start. */
  async drop(fd: number, path: string): Promise<void> {
    await attempt(() => this.ops.close(fd));
    await attempt(() => this.ops.unlink(path));
  }

  /**
   * Gives a finished temporary file its name, and sees to it that both survive a power cut. The caller waits for the name
   * only: until the bytes are flushed, a witness in `.tmp` tells the next start whether they are all there.
   * @throws `EEXIST` where the name is taken: `link` never overwrites, `rename` would without a word
   */
  async publish({ fd, path, name, md5 }: PublishedFile): Promise<void> {
    await this.flusher.room();
    const target = this.pathOf(name);
    if (this.links) {
      const witness = join(this.temporary, witnessOf(name, md5));
      await this.ops.rename(path, witness);
      try {
        await this.ops.link(witness, target);
        this.flusher.add(() => this.settle(fd, witness, target));
        this.flushNamesSoon();
        return;
      } catch (error) {
        await this.ops.rename(witness, path);
        if (!NO_LINKS.has(codeOf(error))) throw error;
        this.links = false; // Names are random, so `rename` is safe enough where nothing better is to be had.
      }
    }
    // Only one name at a time here, so the bytes have to be safe before they get it.
    await datasync(fd);
    await this.ops.rename(path, target);
    this.flusher.add(() => this.settle(fd, path, target));
    this.flushNamesSoon();
  }

  /** One flush for all names of a moment; a power cut before it can cost the newest names, never half a file. */
  private flushNamesSoon(): void {
    this.namesTimer ??= setTimeout(() => {
      this.namesTimer = undefined;
      this.flusher.add(() => this.names.flush());
    }, NAMES_AFTER_MS).unref();
  }

  /** A file that cannot be flushed must not stay. */
  private async settle(fd: number, witness: string, target: string): Promise<void> {
    try {
      await datasync(fd);
    } catch (error) {
      await rm(target, { force: true });
      throw error;
    } finally {
      // Without links the witness is gone already.
      await this.drop(fd, witness);
    }
  }

  /** Can a file be written now, and were the last ones made durable? */
  async probe(): Promise<void> {
    const failure = this.flusher.takeFailure();
    if (failure !== undefined) throw failure;
    const { fd, path } = await this.createTemporary();
    try {
      await this.ops.write(fd, Buffer.from('probe'), 0);
    } finally {
      await this.drop(fd, path);
    }
  }

  /** Resolves when everything published is durable. */
  async close(): Promise<void> {
    clearTimeout(this.namesTimer);
    if (this.namesTimer !== undefined) this.flusher.add(() => this.names.flush());
    await this.flusher.idle();
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
      if (!entry.isFile() || (await settleWitness(this.root, entry.name))) continue;
      const path = join(this.temporary, entry.name);
      const found = await lstat(path).catch(() => undefined); // Another process sweeps as well.
      if (found !== undefined && Date.now() - found.mtimeMs > STALE_MS) await rm(path, { force: true });
    }
  }
}

async function attempt(operation: () => void | Promise<void>): Promise<void> {
  try {
    await operation();
  } catch {
    // Nothing is left to do about it.
  }
}
