/**
 * What a ComfyUI says over its socket, as types. Parsed once, here: whatever lies behind may trust the shape.
 * Sources: recordings of 0.3.11 and 0.3.64; each interface names the recording that shows it.
 */

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
  | { type: 'progress_state'; promptId: string; nodes: NodeProgress[] }
  /** `node: null` says that the prompt has ended and its history is written (24). */
  | { type: 'executing'; promptId: string; node: string | null; displayNode: string | null }
  | { type: 'progress'; promptId: string; node: string; value: number; max: number }
  | { type: 'executed'; promptId: string; node: string; displayNode: string; output: NodeOutput }
  | { type: 'execution_success'; promptId: string; at?: number }
  | { type: 'execution_error'; promptId: string; failure: ExecutionFailure }
  | { type: 'execution_interrupted'; promptId: string; node: string }
  /** A binary frame: a preview, or a picture of SaveImageWebsocket (06a, 06b, 13, 13b). */
  | { type: 'image'; promptId: string; node: string; displayNode: string; mime: string; bytes: Uint8Array };

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
  | { type: 'executing_untagged'; node: string | null };

export type SocketMessage = PromptMessage | ServerMessage;

/** Reads a text frame; undefined for kinds nobody here knows and for frames that do not hold what their kind promises. */
export function parseTextFrame(text: string): SocketMessage | undefined {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return undefined;
  }
  const frame = asRecord(raw);
  const data = asRecord(frame?.['data']);
  if (frame === undefined || data === undefined) return undefined;
  const promptId = asString(data['prompt_id']);
  switch (frame['type']) {
    case 'status': {
      const exec = asRecord(asRecord(data['status'])?.['exec_info']);
      const queueRemaining = asNumber(exec?.['queue_remaining']);
      return queueRemaining === undefined ? undefined : { type: 'status', queueRemaining };
    }
    case 'feature_flags':
      return { type: 'feature_flags', flags: data };
    case 'executing':
      return parseExecuting(data, promptId);
    case 'execution_start':
      return promptId === undefined
        ? undefined
        : { type: 'execution_start', promptId, ...readTimestamp(data) };
    case 'execution_cached':
      return promptId === undefined
        ? undefined
        : { type: 'execution_cached', promptId, nodes: asStrings(data['nodes']) };
    case 'progress_state':
      return promptId === undefined
        ? undefined
        : { type: 'progress_state', promptId, nodes: parseNodes(data['nodes']) };
    case 'progress': {
      const node = asString(data['node']);
      const value = asNumber(data['value']);
      const max = asNumber(data['max']);
      if (promptId === undefined || node === undefined || value === undefined || max === undefined)
        return undefined;
      return { type: 'progress', promptId, node, value, max };
    }
    case 'executed': {
      const node = asString(data['node']);
      if (promptId === undefined || node === undefined) return undefined;
      const displayNode = asString(data['display_node']) ?? node;
      return { type: 'executed', promptId, node, displayNode, output: asRecord(data['output']) ?? {} };
    }
    case 'execution_success':
      return promptId === undefined
        ? undefined
        : { type: 'execution_success', promptId, ...readTimestamp(data) };
    case 'execution_error':
      return promptId === undefined
        ? undefined
        : { type: 'execution_error', promptId, failure: parseFailure(data) };
    case 'execution_interrupted':
      return promptId === undefined
        ? undefined
        : { type: 'execution_interrupted', promptId, node: asString(data['node_id']) ?? '' };
    default:
      return undefined;
  }
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
