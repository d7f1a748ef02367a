import { isModelFile } from './models.js';

/**
 * How a name leaves the folder it is looked up in. `absolute`: a path of the machine, also one of Windows, a share or a `file:` URL.
 * `parent`: a part is `..`. `annotation`: ComfyUI looks for names that end with `[output]` or `[temp]` among what other jobs made.
 */
export type PathFault = 'absolute' | 'parent' | 'annotation';

const ABSOLUTE = /^\s*([/\\]|[a-z]:|file:|~[/\\])/i;
const PARENT = /(^|[/\\])\s*\.\.\s*([/\\]|$)/;
/** `folder_paths.annotated_filepath` cuts it off without asking for the space before it. */
const ANNOTATION = /\[(output|temp)\]\s*$/i;

/** Names longer than any path are texts. */
const MAX_PATH = 4_096;

/** What is wrong with a value as the name of a file or a folder; undefined where nothing is. */
export function pathFault(value: string): PathFault | undefined {
  if (value.length > MAX_PATH) return undefined;
  // `a/../b [input]` names the same file as `a/../b`.
  const name = value.replace(/\s*\[input\]\s*$/i, '');
  if (ANNOTATION.test(name)) return 'annotation';
  if (ABSOLUTE.test(name)) return 'absolute';
  return PARENT.test(name) ? 'parent' : undefined;
}

/**
 * Inputs that nodes take for a path, by the words of their names: those of ComfyUI's own save nodes and data sets (`filename_prefix`,
 * `folder_name`, `prefix` of SaveLoRA), and of extensions (`directory`, `video_path`, `output_dir`, `file_path`).
 */
const PATH_NAME =
  /^(file_?name_prefix|prefix|(file|folder|dir|directory|path)(_?(name|path))?|.*_(path|dir|directory|folder|folder_name|file|file_?name|filepath)|filename|filepath)$/i;

/** Does a node take this input for a path, as far as its name tells? Of a dotted one (dynamic inputs) the last part counts. */
export function isPathName(classType: string, input: string): boolean {
  const name = input.slice(input.lastIndexOf('.') + 1);
  if (!PATH_NAME.test(name)) return false;
  // AddTextPrefix and the like put it before a text.
  return name.toLowerCase() !== 'prefix' || /save/i.test(classType);
}

/** Is the value a model's file by its own name, whatever the input is called? */
export function namesModel(value: string): boolean {
  return isModelFile(value) && !/[\n\r]/.test(value);
}
