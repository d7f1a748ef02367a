import type { FileRef } from './messages.js';

const FOLDERS = ['output', 'temp', 'input'] as const;

/** Longest string that is taken for the path of a file. */
const MAX_PATH = 1_024;

/**
 * The file of a path that a node shows as a string: 3D nodes list their model so (`result: ["mesh/a.glb", camera, "temp/bg.png"]`), and
 * extensions the absolute path. Undefined where the string names no file with an extension below one of ComfyUI's folders.
 */
export function fileOfPath(text: string): FileRef | undefined {
  const { path, type } = annotated(text.replaceAll('\\', '/'));
  if (path.length > MAX_PATH || !/\.[a-z0-9]{1,10}$/i.test(path) || /[\p{Cc}]|:\/\//u.test(path))
    return undefined;
  if (path.split('/').includes('..')) return undefined;
  const found = isAbsolute(path) ? belowFolder(path) : belowTemp(path);
  return found && split(found.path, type ?? found.type);
}

/**
 * A file as `/view` wants it: a folder inside `filename`, which the server cuts off (35), goes into `subfolder`. Undefined where no name
 * is left.
 */
export function normalFile({ filename, subfolder, type }: FileRef): FileRef | undefined {
  if (!filename.includes('/')) return filename === '' ? undefined : { filename, subfolder, type };
  if (filename.startsWith('/')) return fileOfPath(filename);
  return split(subfolder === '' ? filename : `${subfolder}/${filename}`, type);
}

/**
 * The name for the query of `/view`. The server takes an end such as ` [output]` for the folder, and cuts off nine characters; with one
 * more such end, the name itself is meant (35).
 */
export function viewName({ filename, type }: FileRef): string {
  return /\[(?:output|temp|input)\]$/.test(filename) ? `${filename} [${type}]` : filename;
}

function split(path: string, type: string): FileRef | undefined {
  const at = path.lastIndexOf('/');
  const filename = path.slice(at + 1);
  if (filename === '') return undefined;
  return { filename, subfolder: path.slice(0, Math.max(0, at)).replace(/^\/+|\/+$/g, ''), type };
}

function annotated(path: string): { path: string; type: string | undefined } {
  const [, name, type] = /^(.*) \[(output|temp|input)\]$/s.exec(path) ?? [];
  return name === undefined ? { path, type: undefined } : { path: name, type };
}

function isAbsolute(path: string): boolean {
  return path.startsWith('/') || /^[A-Za-z]:\//.test(path);
}

/** What comes after the last folder that is called as one of ComfyUI's. */
function belowFolder(path: string): { path: string; type: string } | undefined {
  const places = FOLDERS.map((type) => ({ type, at: path.lastIndexOf(`/${type}/`) }));
  const last = places.reduce((a, b) => (b.at > a.at ? b : a));
  return last.at < 0 ? undefined : { path: path.slice(last.at + last.type.length + 2), type: last.type };
}

/** Relative paths are below the output folder, but for those that say `temp/`. */
function belowTemp(path: string): { path: string; type: string } {
  return path.startsWith('temp/')
    ? { path: path.slice('temp/'.length), type: 'temp' }
    : { path, type: 'output' };
}
