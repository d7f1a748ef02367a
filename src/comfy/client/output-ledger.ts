import { linkOf, type Workflow } from '../workflow/index.js';
import type { RunOutput } from './outputs.js';

/** Its pictures exist only in frames: neither `/history` nor the disk has them (13, 13b). */
const SOCKET_OUTPUT_CLASS = 'SaveImageWebsocket';

/** Keeps book of a run's outputs: which nodes have to speak, which have, and what was handed on already. */
export class OutputLedger {
  private readonly heard = new Set<string>();
  private readonly entered = new Set<string>();
  private readonly makers = new Set<string>();
  private cached: readonly string[] = [];
  /** Nodes that must have spoken for the events to be believed. */
  private readonly wanted: readonly string[];
  private readonly wantsOne: boolean;

  constructor(
    private readonly workflow: Workflow,
    outputNode: string | undefined,
  ) {
    this.wantsOne = outputNode !== undefined;
    this.wanted = outputNode === undefined ? lastNodes(workflow) : [outputNode];
  }

  hear(node: string): void {
    this.heard.add(node);
  }

  /** Nodes that will not run again, because the server still has what they made (02b). */
  noteCached(nodes: readonly string[]): void {
    this.cached = nodes;
  }

  /** Is the wanted node cached without anybody naming what it made? */
  get lacksCached(): boolean {
    return this.wantsOne && this.wanted.some((node) => this.cached.includes(node) && !this.makers.has(node));
  }

  /** Have all wanted nodes spoken? Nodes cached by an old server do not (02b, reported). */
  get complete(): boolean {
    return this.wanted.every((node) => this.heard.has(node));
  }

  /** The outputs that are new: an event and the history can name the same one. */
  enter(outputs: readonly RunOutput[]): RunOutput[] {
    const texts = new Map<string, number>();
    return outputs.filter((output) => {
      const what = output.form === 'file' ? output.file : output.form === 'text' ? output.text : undefined;
      let key = JSON.stringify([output.node, output.kind, what]);
      // A node may well say the same text twice; to name a file twice makes no second file.
      if (output.form === 'text') {
        const nth = texts.get(key) ?? 0;
        texts.set(key, nth + 1);
        key += nth;
      }
      if (this.entered.has(key)) return false;
      this.entered.add(key);
      this.makers.add(output.displayNode);
      return true;
    });
  }

  comesOverSocket(node: string): boolean {
    return this.workflow[node]?.class_type === SOCKET_OUTPUT_CLASS;
  }

  /** Is something wanted that only the socket brings? Then the history cannot make up for a lost frame. */
  get wantsSocket(): boolean {
    return this.wanted.some((node) => this.comesOverSocket(node));
  }
}

/** Nodes that no other node links to; output nodes are among them as a rule. */
function lastNodes(workflow: Workflow): string[] {
  const linked = new Set<string>();
  for (const node of Object.values(workflow)) {
    for (const input of Object.values(node.inputs ?? {})) {
      const link = linkOf(input);
      if (link !== undefined) linked.add(link.node);
    }
  }
  return Object.keys(workflow).filter((id) => !linked.has(id));
}
