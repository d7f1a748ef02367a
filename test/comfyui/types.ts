/** The shapes that travel between a ComfyUI and its clients, and nothing of how this stand-in works inside. */

export type JsonObject = Record<string, unknown>;

/** One node of a prompt in API format. */
export interface GraphNode {
  class_type: string;
  inputs: JsonObject;
  _meta?: unknown;
}

/** A prompt in API format: node id to node. */
export type Graph = Record<string, GraphNode>;

/** A row of `GET /queue`, also the `prompt` of a history entry (recordings 08, 01). */
export type QueueRow = [
  number: number,
  promptId: string,
  graph: Graph,
  extraData: JsonObject,
  outputs: string[],
];

export interface HistoryStatus {
  status_str: 'success' | 'error';
  completed: boolean;
  messages: [event: string, data: JsonObject][];
}

/** An entry of `GET /history` (recording 01). */
export interface HistoryEntry {
  prompt: QueueRow;
  outputs: Record<string, JsonObject>;
  status: HistoryStatus;
  meta: Record<string, JsonObject>;
}

export type FolderType = 'input' | 'output' | 'temp';

/** A file as a node's output and `/view` name it. */
export interface FileRef {
  filename: string;
  subfolder: string;
  type: FolderType;
}

/** What `POST /prompt` says of one wrong input (recording 04). */
export interface ValidationError {
  type: string;
  message: string;
  details: string;
  extra_info: JsonObject;
}

export interface NodeErrors {
  errors: ValidationError[];
  dependent_outputs: string[];
  class_type: string;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A link to another node's output is a list of two: `["4", 0]`. */
export function isLink(value: unknown): value is [nodeId: string, slot: number] {
  return (
    Array.isArray(value) && value.length === 2 && typeof value[0] === 'string' && typeof value[1] === 'number'
  );
}
