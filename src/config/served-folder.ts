import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';

/** Is a folder the other one, or within it? Links are followed, as far as the folders are there. */
export function isWithin(folder: string, other: string): boolean {
  const inner = realPath(resolve(folder));
  const outer = realPath(resolve(other));
  return inner === outer || inner.startsWith(outer.endsWith(sep) ? outer : `${outer}${sep}`);
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPath(parent), basename(path));
  }
}
