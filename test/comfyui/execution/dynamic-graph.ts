import { isLink, type Graph, type GraphNode, type JsonObject } from '../types.js';

/** The submitted graph and what its nodes expanded into (17). */
export class DynamicGraph {
  private readonly added = new Map<string, { node: GraphNode; parent: string }>();

  constructor(private readonly graph: Graph) {}

  node(id: string): GraphNode {
    const node = this.graph[id] ?? this.added.get(id)?.node;
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

  /** Puts a sub-graph under `parent`; ids become `parent.0.0.id`. Returns the new name of an old id. */
  expand(parent: string, graph: Graph): (id: string) => string {
    const rename = (id: string) => `${parent}.0.0.${id}`;
    for (const [id, node] of Object.entries(graph)) {
      const inputs: JsonObject = {};
      for (const [name, value] of Object.entries(node.inputs)) {
        inputs[name] = isLink(value) && value[0] in graph ? [rename(value[0]), value[1]] : value;
      }
      this.added.set(rename(id), { node: { ...node, inputs }, parent });
    }
    return rename;
  }
}
