import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, normalize, resolve, sep } from 'node:path';
import { PythonError } from './python.js';
import type { FolderType } from './types.js';

/** Where a save node may write: the folder exists and `counter` is the next free number of that prefix. */
export interface SaveTarget {
  folder: string;
  filename: string;
  counter: number;
  subfolder: string;
  /** Files that had to be listed to find the number. */
  listed: number;
}

/** The three folders of a ComfyUI. */
export class Folders {
  readonly root: string;
  private readonly ours: boolean;
  private readonly counters = new Map<string, number>();

  constructor(
    dataDir: string | undefined,
    private readonly zeroWork: boolean,
  ) {
    this.ours = dataDir === undefined;
    this.root = dataDir === undefined ? mkdtempSync(join(tmpdir(), 'comfyui-standin-')) : resolve(dataDir);
    for (const type of ['input', 'output', 'temp'] as const) mkdirSync(this.of(type), { recursive: true });
  }

  of(type: FolderType): string {
    return join(this.root, type);
  }

  /** ComfyUI empties its temp folder when it starts. */
  clearTemp(): void {
    rmSync(this.of('temp'), { recursive: true, force: true });
    mkdirSync(this.of('temp'), { recursive: true });
    this.counters.clear();
  }

  remove(): void {
    if (this.ours) rmSync(this.root, { recursive: true, force: true });
  }

  /** The path inside the folder, or undefined when it would leave it. */
  inside(type: FolderType, ...parts: string[]): string | undefined {
    const folder = this.of(type);
    const path = resolve(join(folder, ...parts));
    return path === folder || path.startsWith(folder + sep) ? path : undefined;
  }

  /** `folder_paths.get_save_image_path`: the number comes from listing the folder, so its cost grows with it. */
  saveTarget(type: 'output' | 'temp', prefix: string, width: number, height: number): SaveTarget {
    const filled = normalize(fillVariables(prefix, width, height));
    const subfolder = dirname(filled) === '.' ? '' : dirname(filled);
    const filename = basename(filled);
    const folder = this.inside(type, subfolder);
    if (folder === undefined || subfolder.startsWith(sep)) {
      throw new PythonError(
        'Exception',
        `**** ERROR: Saving image outside the output folder is not allowed.\n full_output_folder: /srv/ComfyUI/${type}/${subfolder}\n         output_dir: /srv/ComfyUI/${type}\n         commonpath: /srv/ComfyUI`,
      );
    }
    const key = `${folder}\0${filename}`;
    const known = this.zeroWork ? this.counters.get(key) : undefined;
    if (known !== undefined) return { folder, filename, counter: known, subfolder, listed: 0 };
    if (!existsSync(folder)) {
      mkdirSync(folder, { recursive: true });
      return { folder, filename, counter: 1, subfolder, listed: 0 };
    }
    const files = readdirSync(folder);
    return { folder, filename, counter: nextNumber(files, filename), subfolder, listed: files.length };
  }

  /** Remembers the number after the last one written, so that `zeroWork` need not list again. */
  saved(target: SaveTarget, counter: number): void {
    if (this.zeroWork) this.counters.set(`${target.folder}\0${target.filename}`, counter);
  }
}

function nextNumber(files: readonly string[], filename: string): number {
  const wanted = `${filename}_`.toLowerCase();
  let highest = 0;
  for (const file of files) {
    if (file.slice(0, filename.length + 1).toLowerCase() !== wanted) continue;
    const digits = Number.parseInt(file.slice(filename.length + 1), 10);
    if (digits > highest) highest = digits;
  }
  return highest + 1;
}

function fillVariables(prefix: string, width: number, height: number): string {
  if (!prefix.includes('%')) return prefix;
  const now = new Date();
  const two = (value: number) => String(value).padStart(2, '0');
  const values: Record<string, string> = {
    width: String(width),
    height: String(height),
    year: String(now.getFullYear()),
    month: two(now.getMonth() + 1),
    day: two(now.getDate()),
    hour: two(now.getHours()),
    minute: two(now.getMinutes()),
    second: two(now.getSeconds()),
  };
  return prefix.replace(/%(\w+)%/g, (whole, name: string) => values[name] ?? whole);
}
