import { readFile } from 'node:fs/promises';

/** Memory of a process in MB (10^6 bytes): what it has now, and the most it ever had. */
export interface Memory {
  now: number;
  peak: number;
}

/** From Linux's `/proc`; undefined elsewhere. */
export async function readMemory(pid: number): Promise<Memory | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const megabytes = (name: string) =>
      (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1_024) / 1e6;
    return { now: megabytes('VmRSS'), peak: megabytes('VmHWM') };
  } catch {
    return undefined;
  }
}
