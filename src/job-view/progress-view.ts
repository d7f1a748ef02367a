import type { RunProgress } from '../comfy/index.js';

/** How far a job is, as it is told live; what is not known is null. */
export interface ProgressView {
  /** From 0 to 1. */
  value: number;
  node_id: string | null;
  class_type: string | null;
  step: number | null;
  steps: number | null;
  nodes_done: number;
  nodes_total: number;
}

export function toProgressView(progress: RunProgress): ProgressView {
  return {
    value: progress.value,
    node_id: progress.node ?? null,
    class_type: progress.class ?? null,
    step: progress.step ?? null,
    steps: progress.steps ?? null,
    nodes_done: progress.nodesDone,
    nodes_total: progress.nodesTotal,
  };
}
