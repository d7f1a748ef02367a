import type { Workflow } from '../workflow/index.js';
import type { NodeProgress, PromptMessage } from './messages.js';

/** How far a prompt is. */
export interface RunProgress {
  /** 0 to 1 over all nodes, each weighted by its steps; never goes back. */
  value: number;
  /** The node at work, by its id in the submitted workflow; undefined before the first. */
  node: string | undefined;
  /** Its `class_type`. */
  class: string | undefined;
  /** Steps of that node done and to do, where it counts any. */
  step: number | undefined;
  steps: number | undefined;
  nodesDone: number;
  nodesTotal: number;
}

interface Share {
  weight: number;
  /** 0 to 1. */
  done: number;
}

/** More steps than that say nothing about time any more. */
const MAX_WEIGHT = 1_000;

/**
 * Folds a prompt's messages into one number. A node weighs as much as it has steps: a sampler of 20 steps counts as
 * twenty loaders. Steps are read from the literal `steps` input beforehand, and from the node's own count once it runs.
 */
export class ProgressMeter {
  private readonly shares = new Map<string, Share>();
  private current: RunProgress;

  constructor(private readonly workflow: Workflow) {
    for (const [id, node] of Object.entries(workflow)) {
      const steps = node.inputs?.['steps'];
      this.shares.set(id, { weight: clampWeight(typeof steps === 'number' ? steps : 1), done: 0 });
    }
    this.current = {
      value: 0,
      node: undefined,
      class: undefined,
      step: undefined,
      steps: undefined,
      nodesDone: 0,
      nodesTotal: this.shares.size,
    };
  }

  /** @returns the new progress, or undefined where the message changes nothing */
  take(message: PromptMessage): RunProgress | undefined {
    switch (message.type) {
      case 'execution_cached':
        // What is cached takes no time, so it is not part of the way.
        for (const node of message.nodes) this.shares.delete(node);
        return this.update({});
      case 'executing':
        if (message.node === null) return undefined;
        this.finishCurrent(message.displayNode ?? message.node);
        return this.enter(message.displayNode ?? message.node);
      case 'progress':
        if (message.max <= 0) return undefined;
        this.measure(message.node, message.value, message.max);
        return this.update({ step: message.value, steps: message.max });
      case 'executed':
        this.finish(message.displayNode);
        return this.update({});
      default:
        return undefined;
    }
  }

  /** As `take`, for what a `progress_state` says; the other messages tell nearly as much, so it may be left out. */
  takeStates(nodes: readonly NodeProgress[]): RunProgress | undefined {
    for (const { node, value, max, state } of nodes) {
      if (state === 'finished') this.finish(node);
      else if (state === 'running') this.measure(node, value, max);
    }
    return this.update({});
  }

  private enter(node: string): RunProgress | undefined {
    if (node === this.current.node) return undefined;
    return this.update({ node, class: this.workflow[node]?.class_type, step: undefined, steps: undefined });
  }

  private finishCurrent(next: string): void {
    if (this.current.node !== undefined && this.current.node !== next) this.finish(this.current.node);
  }

  private finish(node: string): void {
    const share = this.shares.get(node);
    if (share !== undefined) share.done = 1;
  }

  private measure(node: string, value: number, max: number): void {
    const share = this.shares.get(node);
    if (share === undefined || max <= 0) return;
    share.weight = Math.max(share.weight, clampWeight(max));
    share.done = Math.max(share.done, Math.min(1, value / max));
  }

  private update(change: Partial<RunProgress>): RunProgress | undefined {
    let total = 0;
    let done = 0;
    let nodesDone = 0;
    for (const share of this.shares.values()) {
      total += share.weight;
      done += share.weight * share.done;
      if (share.done === 1) nodesDone += 1;
    }
    const value = Math.max(this.current.value, total === 0 ? 1 : done / total);
    const next = { ...this.current, ...change, value, nodesDone, nodesTotal: this.shares.size };
    const changed = (Object.keys(next) as (keyof RunProgress)[]).some(
      (key) => next[key] !== this.current[key],
    );
    this.current = next;
    return changed ? next : undefined;
  }
}

function clampWeight(steps: number): number {
  return Math.min(MAX_WEIGHT, Math.max(1, steps));
}
