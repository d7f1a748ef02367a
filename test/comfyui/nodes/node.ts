import type { Encoder } from '../media/encoder.js';
import type { Picture } from '../media/picture.js';
import type { Folders } from '../folders.js';
import type { ResolvedOptions } from '../options.js';
import type { Graph, JsonObject } from '../types.js';

/** A picture sent over the socket while a node runs. */
export interface PreviewFrame {
  format: 'image/jpeg' | 'image/png';
  data: Buffer;
}

/** What a node may use while it runs. */
export interface NodeContext {
  readonly nodeId: string;
  readonly promptId: string;
  /** The inputs as the graph has them, links unresolved. */
  readonly links: JsonObject;
  readonly graph: Graph;
  readonly extraData: JsonObject;
  readonly folders: Folders;
  readonly encoder: Encoder;
  readonly options: ResolvedOptions;
  /** Waits until this checkpoint is in memory. */
  readonly needModel: (name: string) => Promise<void>;
  /** State of this node that outlives one prompt, as the object of a ComfyUI node does. */
  readonly memory: Map<string, string>;
  readonly sleep: (ms: number) => Promise<void>;
  /** A type 3 frame to every socket, or to the prompt's client only. */
  readonly sendText: (node: string, text: string, everybody: boolean) => void;
  /** Reports a step; throws when the prompt was interrupted, which is the only moment a running node notices (07). */
  readonly progress: (value: number, max: number, preview?: PreviewFrame) => void;
}

export interface NodeResult {
  /** Values for the node's outputs, in order. */
  outputs?: readonly unknown[];
  /** What `executed` and the history show. */
  ui?: JsonObject;
  /** Node expansion (17): nodes to run in this one's place, with their final ids, and where each output then comes from. */
  expand?: { graph: Graph; result: readonly [nodeId: string, slot: number][] };
}

export interface NodeClass {
  /** Runs while others do: a coroutine (37). */
  async?: boolean;
  run(inputs: JsonObject, context: NodeContext): NodeResult | Promise<NodeResult>;
  /** IS_CHANGED: a value that makes a cached result stale when it changes. */
  isChanged?(inputs: JsonObject, folders: Folders): string;
  /** VALIDATE_INPUTS: the complaint of `custom_validation_failed`, with the input it is about. */
  validate?(inputs: JsonObject, folders: Folders): { input: string; complaint: string } | undefined;
}

/** Comes out of a node that wants nothing downstream to run; with a message, each node that is held up says so (27b). */
export class ExecutionBlocker {
  constructor(readonly message?: string) {}
}

export const pictures = (value: unknown) => value as readonly Picture[];
export const text = (value: unknown) => value as string;
export const number = (value: unknown) => value as number;

/** The first picture of a batch; a batch is never empty. */
export function firstOf(batch: readonly Picture[]): Picture {
  const [first] = batch;
  if (first === undefined) throw new Error('an empty batch of pictures');
  return first;
}
