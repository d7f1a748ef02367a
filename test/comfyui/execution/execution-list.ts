import { isLink, type JsonObject } from '../types.js';

/** What the order needs to know of the graph, which grows while it runs (17). */
export interface OrderedGraph {
  inputsOf(nodeId: string): JsonObject;
  isOutput(nodeId: string): boolean;
  isCached(nodeId: string): boolean;
}

/** ComfyUI's `ExecutionList`: which node runs next. Ported rule by rule, since the order of `executing` shows it (19a). */
export class ExecutionList {
  private readonly pending = new Set<string>();
  private readonly blockCount = new Map<string, number>();
  private readonly held = new Set<string>();
  private readonly blocking = new Map<string, Set<string>>();

  constructor(private readonly graph: OrderedGraph) {}

  get isEmpty(): boolean {
    return this.pending.size === 0;
  }

  /** Adds a node and everything above it that is not cached. */
  add(nodeId: string): void {
    const stack = [nodeId];
    const links: [from: string, to: string][] = [];
    for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
      if (this.pending.has(id)) continue;
      this.pending.add(id);
      this.blockCount.set(id, 0);
      this.blocking.set(id, new Set());
      for (const value of Object.values(this.graph.inputsOf(id))) {
        if (!isLink(value)) continue;
        const from = value[0];
        if (!this.graph.isCached(from)) stack.push(from);
        links.push([from, id]);
      }
    }
    for (const [from, to] of links) this.link(from, to);
  }

  /** Lets `to` wait for `from`. */
  link(from: string, to: string): void {
    if (this.graph.isCached(from)) return;
    if (!this.pending.has(from)) this.add(from);
    const blocked = this.blocking.get(from);
    if (blocked === undefined || blocked.has(to)) return;
    blocked.add(to);
    this.blockCount.set(to, (this.blockCount.get(to) ?? 0) + 1);
  }

  /** The node to run now, or undefined when all that is left waits for itself. */
  next(): string | undefined {
    const ready = [...this.pending].filter((id) => this.blockCount.get(id) === 0 && !this.held.has(id));
    const leadsTo = (id: string, test: (to: string) => boolean) =>
      [...(this.blocking.get(id) ?? [])].some(test);
    // Outputs first, then what is one or two steps before an output, so that pictures show early.
    return (
      ready.find((id) => this.graph.isOutput(id)) ??
      ready.find((id) => leadsTo(id, (to) => this.graph.isOutput(to))) ??
      ready.find((id) => leadsTo(id, (to) => leadsTo(to, (after) => this.graph.isOutput(after)))) ??
      ready[0]
    );
  }

  /** It has started, and is not offered again. */
  hold(nodeId: string): void {
    this.held.add(nodeId);
  }

  complete(nodeId: string): void {
    this.held.delete(nodeId);
    this.pending.delete(nodeId);
    for (const blocked of this.blocking.get(nodeId) ?? []) {
      this.blockCount.set(blocked, (this.blockCount.get(blocked) ?? 1) - 1);
    }
    this.blocking.delete(nodeId);
  }
}
