import * as fs from 'node:fs';
import { statfs } from 'node:fs/promises';
import { promisify } from 'node:util';

type Awaitable<T> = T | Promise<T>;

/** The short file operations of storing and reading a picture, on file descriptors. All throw what `node:fs` throws. */
export interface FileOps {
  /** Whether they run at once, in this thread. */
  readonly direct: boolean;
  /** Always in a thread: making a file takes 10 µs on one ext4 and 0.8 ms on another, whose inode tables are fuller. */
  open(path: string, flags: number, mode?: number): Promise<number>;
  /** @returns how many bytes the disk took */
  write(fd: number, bytes: Uint8Array, offset: number): Awaitable<number>;
  rename(from: string, to: string): Awaitable<void>;
  link(from: string, to: string): Awaitable<void>;
  unlink(path: string): Awaitable<void>;
  close(fd: number): Awaitable<void>;
}

const threadedWrite = async (fd: number, bytes: Uint8Array, offset: number) =>
  (await promisify(fs.write)(fd, bytes, offset, bytes.length - offset)).bytesWritten;

const open = promisify(fs.open);

/** In libuv's threads: for disks behind a network, which may take their time or not answer at all. */
export const THREADED: FileOps = {
  direct: false,
  open,
  write: threadedWrite,
  rename: promisify(fs.rename),
  link: promisify(fs.link),
  unlink: promisify(fs.unlink),
  close: promisify(fs.close),
};

/** Above that a write may take long enough to be worth a thread, in bytes. */
export const SMALL_BYTES = 256 * 1024;

/**
 * In this thread: on a local disk these touch memory only and take 5 to 15 µs each, a tenth of what handing them to
 * another thread costs this one alone. Making a file and flushing, which may wait for the disk, are never done like this.
 */
export const DIRECT: FileOps = {
  direct: true,
  open,
  write: (fd, bytes, offset) =>
    bytes.length > SMALL_BYTES
      ? threadedWrite(fd, bytes, offset)
      : fs.writeSync(fd, bytes, offset, bytes.length - offset),
  rename: fs.renameSync,
  link: fs.linkSync,
  unlink: fs.unlinkSync,
  close: fs.closeSync,
};

/** Linux's numbers (statfs(2)) of ext, XFS, Btrfs, F2FS, ZFS, tmpfs and overlay. */
const LOCAL_TYPES = new Set([0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x2fc12fc1, 0x01021994, 0x794c7630]);

/** The operations for a folder: in this thread only where the disk is certain to be a local one. */
export async function fileOpsFor(directory: string): Promise<FileOps> {
  const { type } = await statfs(directory);
  return process.platform === 'linux' && LOCAL_TYPES.has(type >>> 0) ? DIRECT : THREADED;
}

/** Waits for the disk, in a thread of its own. Like fsync but for times of access. */
export const datasync = promisify(fs.fdatasync);
