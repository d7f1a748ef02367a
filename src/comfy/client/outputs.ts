import { stringifyPythonJson } from './python-json.js';
import { asRecord, asString, type FileRef, type NodeOutput } from './messages.js';

/** One thing a node made. `kind` is the name of the list it stood in: `images`, `gifs`, `audio`, `latents`, `text`, … */
export type RunOutput = { node: string; displayNode: string; kind: string } & (
  | { form: 'file'; file: FileRef }
  /** A picture of SaveImageWebsocket: it exists only in this frame. */
  | { form: 'memory'; mime: string; bytes: Uint8Array }
  /** A text as it is; a number, or any other value, as JSON. */
  | { form: 'text'; text: string }
);

/**
 * Walks every list of a node's output: extensions put their files under names of their own (`gifs`, `audio`, …), so
 * looking for `images` only would drop them. ComfyUI itself joins what a node shows list by list, so there is nothing
 * but lists. Numbers, truth values and objects are data, as texts are; but a list of truth values beside files says how to show
 * those (`animated: [true]`, 14a), and is a flag.
 */
export function readNodeOutput(node: string, displayNode: string, output: NodeOutput): RunOutput[] {
  const lists = Object.entries(output).flatMap(([kind, list]) =>
    Array.isArray(list) ? [{ kind, items: list as unknown[] }] : [],
  );
  const hasFiles = lists.some(({ items }) => items.some((item) => readFileRef(item) !== undefined));
  return lists.flatMap(({ kind, items }) => {
    if (hasFiles && items.every((item) => typeof item === 'boolean')) return [];
    return items.flatMap((item): RunOutput[] => {
      const file = readFileRef(item);
      if (file !== undefined) return [{ node, displayNode, kind, form: 'file', file }];
      const text = readText(item);
      return text === undefined ? [] : [{ node, displayNode, kind, form: 'text', text }];
    });
  });
}

/** Undefined for nothing, and for what wants to be a file and names none. */
function readText(item: unknown): string | undefined {
  if (typeof item === 'string') return wellFormed(item);
  if (item === null || asRecord(item)?.['filename'] !== undefined) return undefined;
  return stringifyPythonJson(item);
}

/** Lone surrogates, which UTF-8 cannot hold, become U+FFFD. */
function wellFormed(text: string): string {
  return /\p{Surrogate}/u.test(text) ? Buffer.from(text, 'utf8').toString('utf8') : text;
}

function readFileRef(item: unknown): FileRef | undefined {
  const data = asRecord(item);
  const filename = asString(data?.['filename']);
  if (data === undefined || filename === undefined || filename === '') return undefined;
  return { filename, subfolder: asString(data['subfolder']) ?? '', type: asString(data['type']) ?? 'output' };
}
