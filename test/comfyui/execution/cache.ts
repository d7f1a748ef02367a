import { createHash } from 'node:crypto';
import type { Folders } from '../folders.js';
import { nodeClasses } from '../nodes/index.js';
import { isLink, type JsonObject } from '../types.js';
import type { DynamicGraph } from './dynamic-graph.js';

/** What running a node left behind. */
export interface CacheEntry {
  outputs: readonly unknown[];
  ui?: JsonObject;
  meta: JsonObject;
}

/** Results by input signature. As in ComfyUI only what the current prompt could use again is kept (02b, 19b). */
export class ResultCache {
  private entries = new Map<string, CacheEntry>();

  /** Forgets everything that this prompt cannot use. */
  keepOnly(signatures: ReadonlySet<string>): void {
    for (const key of this.entries.keys()) if (!signatures.has(key)) this.entries.delete(key);
  }

  /** As `--cache-lru N` does, roughly: forgets the oldest results beyond N. */
  keepNewest(count: number): void {
    for (const key of this.entries.keys()) {
      if (this.entries.size <= count) return;
      this.entries.delete(key);
    }
  }

  get(signature: string): CacheEntry | undefined {
    return this.entries.get(signature);
  }

  set(signature: string, entry: CacheEntry): void {
    this.entries.set(signature, entry);
  }

  clear(): void {
    this.entries = new Map();
  }
}

/** Signatures of one prompt's nodes: class, values, and the signatures of what is linked. Node ids play no part. */
export class Signatures {
  private readonly known = new Map<string, string>();

  constructor(
    private readonly graph: DynamicGraph,
    private readonly folders: Folders,
  ) {}

  of(nodeId: string): string {
    const known = this.known.get(nodeId);
    if (known !== undefined) return known;
    // A graph that bites its own tail must still get a signature; its execution fails later.
    this.known.set(nodeId, `cycle ${nodeId}`);
    const node = this.graph.find(nodeId);
    // A dead link in a branch that was found invalid and will not run (16).
    if (node === undefined) return `missing ${nodeId}`;
    const { class_type, inputs } = node;
    const changed = nodeClasses.get(class_type)?.isChanged?.(inputs, this.folders);
    const parts = Object.keys(inputs)
      .sort()
      .map((name) => {
        const value = inputs[name];
        return isLink(value) ? [name, this.of(value[0]), value[1]] : [name, value];
      });
    const signature = createHash('sha1')
      .update(JSON.stringify([class_type, changed, parts]))
      .digest('base64');
    this.known.set(nodeId, signature);
    return signature;
  }
}
