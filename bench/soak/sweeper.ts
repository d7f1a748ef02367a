import { readdir, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Files live this long, ms: no call needs them any more by then. */
const AGE_MS = 60_000;

/**
 * Deletes old files below a folder, so that hours of load do not fill the disk, and the job's folder with its last
 * one. What begins with a dot is the service's own and left alone.
 */
export async function sweep(folder: string): Promise<void> {
  const before = Date.now() - AGE_MS;
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || path.slice(folder.length).includes('/.')) continue;
    try {
      if ((await stat(path)).mtimeMs > before) continue;
      await unlink(path);
      if (dirname(path) !== folder) await rmdir(dirname(path));
    } catch {
      // Gone already, or its folder holds more.
    }
  }
}
