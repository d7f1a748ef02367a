/**
 * What a ComfyUI says over its socket, as types. Parsed once, here: whatever lies behind may trust the shape.
 * Sources: recordings of 0.3.11, 0.3.64 and 0.8.0; each interface names the recording that shows it.
 */
import { parsePythonJson } from './python-json.js';

/** One file a node made, exactly as `/view` wants it back. */
export interface FileRef {
  filename: string;
  subfolder: string;
  /** `output`, `temp` or `input`. */
  type: string;
}

/** A node's UI output: lists of files, texts or flags by kind (`images`, `gifs`, `audio`, `latents`, `text`, …). */
export type NodeOutput = Record<string, unknown>;

/** State of one node in `progress_state` (01, 06b). */
export interface NodeProgress {
  node: string;
  displayNode: string;
  value: number;
  max: number;
  state: 'pending' | 'running' | 'finished' | 'error';
}

/** Messages about one prompt. */
export type PromptMessage =
  /** `at`: the server's clock, in ms since the epoch. */
  | { type: 'execution_start'; promptId: string; at?: number }
  | { type: 'execution_cached'; promptId: string; nodes: string[] }
  /** Of every node; it repeats all that came before, and grows with the workflow, so it is read on demand. */
  | { type: 'progress_state'; promptId: string; frame: ProgressFrame }
  /** `node: null` says that the prompt has ended and its history is written (24). */
  | { type: 'executing'; promptId: string; node: string | null; displayNode: string | null }
  | { type: 'progress'; promptId: string; node: string; value: number; max: number }
  | { type: 'executed'; promptId: string; node: string; displayNode: string; output: NodeOutput }
  | { type: 'execution_success'; promptId: string; at?: number }
  /** Not the end where an ExecutionBlocker said it (27b), and known for certain only from the history. */
  | { type: 'execution_error'; promptId: string; failure: ExecutionFailure }
  | { type: 'execution_interrupted'; promptId: string; node: string; at?: number }
  /** A binary frame: a preview, or a picture of SaveImageWebsocket (06a, 06b, 13, 13b). */
  | { type: 'image'; promptId: string; node: string; displayNode: string; mime: string; bytes: Uint8Array }
  /** A message about this prompt could not be read: the events do not tell all of it any more. */
  | { type: 'unreadable'; promptId: string };

/** A `progress_state` as it came. */
export interface ProgressFrame {
  /** Of the frame. */
  bytes: number;
  /** Parses it; what cannot be read holds no nodes. */
  read(): NodeProgress[];
}

/** Why a node failed (05a, 05b). Traceback and inputs are left behind on purpose: they hold paths and user data. */
export interface ExecutionFailure {
  node: string;
  nodeType: string;
  exceptionType: string;
  exceptionMessage: string;
}

/** Messages about the server or the socket itself. */
export type ServerMessage =
  | { type: 'status'; queueRemaining: number }
  | { type: 'feature_flags'; flags: Record<string, unknown> }
  /** Sent after a reconnect under the same client id, about a prompt it does not name (09). */
  | { type: 'executing_untagged'; node: string | null }
  /** A frame that could not be read; whose it was is not known. */
  | { type: 'unreadable' };

export type SocketMessage = PromptMessage | ServerMessage;

/**
 * Reads a text frame.
 * @returns undefined for kinds nobody here knows; `unreadable` for what is no JSON and for frames that do not hold what their
 * kind promises
 */
export function parseTextFrame(frame: Buffer): SocketMessage | undefined {
  const promptId = promptOfProgressState(frame);
  if (promptId === undefined) return parseText(frame.toString('utf8'));
  // No copy, although it may be a view on a larger buffer of the socket: only the newest frame of a prompt is kept.
  const read = () => parseNodes(dataOf(parseOrNothing(frame.toString('utf8')))?.['nodes']);
  return { type: 'progress_state', promptId, frame: { bytes: frame.length, read } };
}

/** How ComfyUI begins a `progress_state` (01, 06b). */
const PROGRESS_STATE = Buffer.from('{"type": "progress_state", "data": {"prompt_id": "');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The prompt of a `progress_state`, without parsing it; undefined for other kinds, and where it is written otherwise. */
function promptOfProgressState(frame: Buffer): string | undefined {
  const { length } = PROGRESS_STATE;
  if (frame.length < length || frame.compare(PROGRESS_STATE, 0, length, 0, length) !== 0) return undefined;
  const end = frame.indexOf(QUOTE, length);
  if (end === -1 || frame.subarray(length, end).includes(BACKSLASH)) return undefined;
  return frame.toString('utf8', length, end);
}

function parseOrNothing(text: string): unknown {
  try {
    return parsePythonJson(text, { exactIntegers: true });
  } catch {
    return undefined;
  }
}

function dataOf(frame: unknown): Record<string, unknown> | undefined {
  return asRecord(asRecord(frame)?.['data']);
}

function parseText(text: string): SocketMessage | undefined {
  const frame = asRecord(parseOrNothing(text));
  if (frame === undefined) return { type: 'unreadable' };
  const data = dataOf(frame);
  const type = asString(frame['type']);
  if (data === undefined) return PROMPT_MESSAGES.has(type ?? '') ? { type: 'unreadable' } : undefined;
  if (type === 'status') return parseStatus(data);
  if (type === 'feature_flags') return { type, flags: data };
  const promptId = asString(data['prompt_id']);
  if (type === 'executing') return parseExecuting(data, promptId);
  if (type === undefined || !PROMPT_MESSAGES.has(type)) return undefined;
  if (promptId === undefined) {
    // Old servers do not say whose progress it is, and nothing hangs on it.
    return type.startsWith('progress') ? undefined : { type: 'unreadable' };
  }
  return parsePromptMessage(type, promptId, data) ?? { type: 'unreadable', promptId };
}

const PROMPT_MESSAGES: ReadonlySet<string> = new Set([
  'execution_start',
  'execution_cached',
  'progress_state',
  'progress',
  'executed',
  'execution_success',
  'execution_error',
  'execution_interrupted',
]);

function parsePromptMessage(
  type: string,
  promptId: string,
  data: Record<string, unknown>,
): PromptMessage | undefined {
  switch (type) {
    case 'execution_start':
    case 'execution_success':
      return { type, promptId, ...readTimestamp(data) };
    case 'execution_cached':
      return { type, promptId, nodes: asStrings(data['nodes']) };
    case 'progress_state': {
      const nodes = parseNodes(data['nodes']);
      return { type, promptId, frame: { bytes: 0, read: () => nodes } };
    }
    case 'progress': {
      const node = asString(data['node']);
      // Some nodes measure what cannot be measured, and Python writes NaN for it.
      const value = asNumber(data['value']) ?? 0;
      const max = asNumber(data['max']) ?? 0;
      return node === undefined ? undefined : { type, promptId, node, value, max };
    }
    case 'executed': {
      const node = asString(data['node']);
      // `null` is what a node says that showed nothing when it was cached.
      const output = data['output'] === null ? {} : asRecord(data['output']);
      if (node === undefined || output === undefined) return undefined;
      return { type, promptId, node, displayNode: asString(data['display_node']) ?? node, output };
    }
    case 'execution_error':
      return { type, promptId, failure: parseFailure(data) };
    case 'execution_interrupted':
      return { type, promptId, node: asString(data['node_id']) ?? '', ...readTimestamp(data) };
    default:
      return undefined;
  }
}

function parseStatus(data: Record<string, unknown>): SocketMessage | undefined {
  const exec = asRecord(asRecord(data['status'])?.['exec_info']);
  const queueRemaining = asNumber(exec?.['queue_remaining']);
  return queueRemaining === undefined ? undefined : { type: 'status', queueRemaining };
}

/** The part of an `execution_error`, in an event or in the history, that may leave this house. */
export function parseFailure(data: Record<string, unknown>): ExecutionFailure {
  return {
    node: asString(data['node_id']) ?? '',
    nodeType: asString(data['node_type']) ?? '',
    exceptionType: asString(data['exception_type']) ?? '',
    exceptionMessage: asString(data['exception_message']) ?? '',
  };
}

/** The server's clock in an `execution_*` message, of the socket or of the history; absent where it is not a number. */
export function readTimestamp(data: Record<string, unknown>): { at?: number } {
  const at = asNumber(data['timestamp']);
  return at === undefined ? {} : { at };
}

export function asRecord(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

export function asString(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function asNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function asStrings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

function parseExecuting(data: Record<string, unknown>, promptId: string | undefined): SocketMessage {
  const node = asString(data['node']) ?? null;
  if (promptId === undefined) return { type: 'executing_untagged', node };
  return { type: 'executing', promptId, node, displayNode: asString(data['display_node']) ?? node };
}

const NODE_STATES: ReadonlySet<string> = new Set(['pending', 'running', 'finished', 'error']);

function parseNodes(value: unknown): NodeProgress[] {
  return Object.entries(asRecord(value) ?? {}).flatMap(([node, raw]) => {
    const data = asRecord(raw);
    const state = asString(data?.['state']);
    if (data === undefined || state === undefined || !NODE_STATES.has(state)) return [];
    return [
      {
        node,
        displayNode: asString(data['display_node_id']) ?? node,
        value: asNumber(data['value']) ?? 0,
        max: asNumber(data['max']) ?? 1,
        state: state as NodeProgress['state'],
      },
    ];
  });
}
