import type { DynamicGraph } from './dynamic-graph.js';

interface NodeProgress {
  value: number;
  max: number;
  state: 'running' | 'finished';
  node_id: string;
  prompt_id: string;
  display_node_id: string;
  parent_node_id: string | null;
  real_node_id: string;
}

/** What `progress_state` tells of one prompt: every node that has started so far. */
export class ProgressState {
  private readonly nodes: Record<string, NodeProgress> = {};

  constructor(
    private readonly promptId: string,
    private readonly graph: DynamicGraph,
    private readonly send: (data: { prompt_id: string; nodes: Record<string, NodeProgress> }) => void,
  ) {}

  start(id: string): void {
    this.entry(id);
    this.tell();
  }

  update(id: string, value: number, max: number): void {
    Object.assign(this.entry(id), { value, max });
    this.tell();
  }

  /** A node that never started, because its result was cached, shows up here for the first time (02b). */
  finish(id: string): void {
    const entry = this.entry(id);
    entry.value = entry.max;
    entry.state = 'finished';
    this.tell();
  }

  private entry(id: string): NodeProgress {
    const shown = this.graph.displayOf(id);
    return (this.nodes[id] ??= {
      value: 0,
      max: 1,
      state: 'running',
      node_id: id,
      prompt_id: this.promptId,
      display_node_id: shown,
      parent_node_id: this.graph.parentOf(id),
      real_node_id: shown,
    });
  }

  private tell(): void {
    this.send({ prompt_id: this.promptId, nodes: this.nodes });
  }
}
