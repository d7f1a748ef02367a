import type { Graph, GraphNode } from '../types.js';

/** The submitted graph and what its nodes expanded into (17). */
export class DynamicGraph {
  private readonly added = new Map<string, { node: GraphNode; parent: string }>();

  constructor(private readonly graph: Graph) {}

  find(id: string): GraphNode | undefined {
    return this.graph[id] ?? this.added.get(id)?.node;
  }

  node(id: string): GraphNode {
    const node = this.find(id);
    if (node === undefined) throw new Error(`node ${id} is not in the graph`);
    return node;
  }

  parentOf(id: string): string | null {
    return this.added.get(id)?.parent ?? null;
  }

  /** The node of the submitted graph that a user knows this one by. */
  displayOf(id: string): string {
    let shown = id;
    for (let up = this.added.get(shown); up !== undefined; up = this.added.get(shown)) shown = up.parent;
    return shown;
  }

  ids(): string[] {
    return [...Object.keys(this.graph), ...this.added.keys()];
  }

  /** Puts a sub-graph, whose ids are final, under `parent`. */
  expand(parent: string, graph: Graph): void {
    for (const [id, node] of Object.entries(graph)) this.added.set(id, { node, parent });
  }
}
