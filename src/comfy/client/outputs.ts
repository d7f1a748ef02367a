import { asRecord, asString, type FileRef, type NodeOutput } from './messages.js';
import { fileOfPath, normalFile } from './output-path.js';
import { stringifyPythonJson } from './python-json.js';
import { withoutPaths } from './redact.js';

/** One thing a node made. `kind` is the name of the list it stood in: `images`, `gifs`, `audio`, `latents`, `text`, … */
export type RunOutput = { node: string; displayNode: string; kind: string } &
  /** `orText`: it was a string that may name this file; where it does not, it is this text. */
  (
    | { form: 'file'; file: FileRef; orText?: string }
    /** A picture of SaveImageWebsocket: it exists only in this frame. */
    | { form: 'memory'; mime: string; bytes: Uint8Array }
    /** A text as it is, without absolute paths of the server; a number, or any other value, as JSON. */
    | { form: 'text'; text: string }
  );

/** Lists whose strings may name files. */
const PATH_LISTS =
  /^(?:results?|files?|file_?names?|paths?|file_?paths?|3d|mesh(?:es)?|models?|model_files?|glb|images?|gifs|videos?|audios?)$/i;

/** Nested lists are walked to this depth. */
const MAX_DEPTH = 4;

/**
 * Walks every list of a node's output: extensions put their files under names of their own (`gifs`, `audio`, …), so
 * looking for `images` only would drop them. Numbers, truth values and objects are data, as texts are; but a list of truth values beside
 * files says how to show those (`animated: [true]`, 14a), and is a flag.
 *
 * ComfyUI joins what a node shows item by item, so a string in place of a list arrives as a list of its characters: that is one text.
 */
export function readNodeOutput(node: string, displayNode: string, output: NodeOutput): RunOutput[] {
  const lists = Object.entries(output).map(([kind, value]) => ({ kind, items: itemsOf(value) }));
  const hasFiles = lists.some(({ items }) => items.some((item) => readFileRef(item) !== undefined));
  return lists.flatMap(({ kind, items }) => {
    if (hasFiles && items.every((item) => typeof item === 'boolean')) return [];
    const made = items.flatMap((item): RunOutput[] => {
      const about = { node, displayNode, kind };
      const file = readFileRef(item);
      if (file !== undefined) return [{ ...about, form: 'file', file }];
      const text = readText(item);
      if (text === undefined) return [];
      const named = typeof item === 'string' && PATH_LISTS.test(kind) ? fileOfPath(item) : undefined;
      return [
        named === undefined
          ? { ...about, form: 'text', text }
          : { ...about, form: 'file', file: named, orText: text },
      ];
    });
    // `result: [model, camera, background]`: how to show the model is no data (Preview3D).
    return kind === 'result' && made.some(({ form }) => form === 'file')
      ? made.filter(({ form }) => form === 'file')
      : made;
  });
}

/** What a node shows under one name, as a list. */
function itemsOf(value: unknown): unknown[] {
  if (!Array.isArray(value)) return value === undefined || value === null ? [] : [value];
  const items = value as unknown[];
  const letters = items.length > 1 && items.every((item) => typeof item === 'string' && isOneCharacter(item));
  return letters ? [items.join('')] : items.flatMap((item) => filesWithin(item, MAX_DEPTH) ?? [item]);
}

/** The items of a nested list that holds files; undefined for any other item. */
function filesWithin(item: unknown, depth: number): unknown[] | undefined {
  if (!Array.isArray(item) || depth === 0) return undefined;
  const items = (item as unknown[]).flatMap((each) => filesWithin(each, depth - 1) ?? [each]);
  return items.some((each) => readFileRef(each) !== undefined) ? items : undefined;
}

function isOneCharacter(text: string): boolean {
  return text.length === 1 || (text.length === 2 && (text.codePointAt(0) ?? 0) > 0xffff);
}

/** Undefined for nothing, and for what wants to be a file and names none. */
function readText(item: unknown): string | undefined {
  if (typeof item === 'string') return withoutPaths(wellFormed(item));
  if (item === null || item === undefined || asRecord(item)?.['filename'] !== undefined) return undefined;
  return withoutPaths(stringifyPythonJson(item));
}

/** Lone surrogates, which UTF-8 cannot hold, become U+FFFD. */
function wellFormed(text: string): string {
  return /\p{Surrogate}/u.test(text) ? Buffer.from(text, 'utf8').toString('utf8') : text;
}

function readFileRef(item: unknown): FileRef | undefined {
  const data = asRecord(item);
  const filename = asString(data?.['filename']);
  if (data === undefined || filename === undefined) return undefined;
  const subfolder = asString(data['subfolder']) ?? '';
  return normalFile({ filename, subfolder, type: asString(data['type']) ?? 'output' });
}
