import { readdir, readFile, readlink } from 'node:fs/promises';

/** What a process holds of the system. */
export interface Handles {
  /** File descriptors, sockets among them. */
  fds: number;
  sockets: number;
  threads: number;
}

/** From Linux's `/proc`; undefined elsewhere, and for a process that is gone. */
export async function readHandles(pid: number): Promise<Handles | undefined> {
  try {
    const folder = `/proc/${pid}/fd`;
    const [names, status] = await Promise.all([readdir(folder), readFile(`/proc/${pid}/status`, 'utf8')]);
    // One that was closed between the two looks has no target any more.
    const targets = await Promise.all(names.map((name) => readlink(`${folder}/${name}`).catch(() => '')));
    const threads = Number(/^Threads:\s+(\d+)/m.exec(status)?.[1]);
    return {
      fds: targets.filter((target) => target !== '').length,
      sockets: targets.filter((target) => target.startsWith('socket:')).length,
      threads,
    };
  } catch {
    return undefined;
  }
}
