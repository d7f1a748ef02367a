import { open } from 'node:fs/promises';
import { devNull } from 'node:os';

/** Files that a job has open at once, with some to spare. */
const FILES = 16;

/** Can as many files be opened as a job needs? Not where the process, or the machine, has too many open (EMFILE, ENFILE). */
export async function canOpenFiles(path: string = devNull): Promise<boolean> {
  const opened = await Promise.allSettled(Array.from({ length: FILES }, () => open(path)));
  const handles = opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  await Promise.all(handles.map((handle) => handle.close()));
  return handles.length === FILES;
}
