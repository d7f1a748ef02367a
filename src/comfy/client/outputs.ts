import { asRecord, asString, type FileRef, type NodeOutput } from './messages.js';

/** One thing a node made. */
export type RunOutput = { node: string; displayNode: string; kind: string } & (
  | { form: 'file'; file: FileRef }
  /** A picture of SaveImageWebsocket: it exists only in this frame. */
  | { form: 'memory'; mime: string; bytes: Uint8Array }
  | { form: 'text'; text: string }
);

/**
 * Walks every list of a node's output: extensions put their files under names of their own (`gifs`, `audio`, …), so
 * looking for `images` only would drop them. Entries that are neither files nor texts (`animated: [true]`) are flags.
 */
export function readNodeOutput(node: string, displayNode: string, output: NodeOutput): RunOutput[] {
  return Object.entries(output).flatMap(([kind, list]) =>
    (Array.isArray(list) ? (list as unknown[]) : []).flatMap((item): RunOutput[] => {
      if (typeof item === 'string') return [{ node, displayNode, kind, form: 'text', text: item }];
      const file = readFileRef(item);
      return file === undefined ? [] : [{ node, displayNode, kind, form: 'file', file }];
    }),
  );
}

function readFileRef(item: unknown): FileRef | undefined {
  const data = asRecord(item);
  const filename = asString(data?.['filename']);
  if (data === undefined || filename === undefined || filename === '') return undefined;
  return { filename, subfolder: asString(data['subfolder']) ?? '', type: asString(data['type']) ?? 'output' };
}
