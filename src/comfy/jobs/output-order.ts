import type { RunOutput } from '../client/index.js';

/** `12.0.2` comes before `12.0.10`. */
const IDS = new Intl.Collator('en', { numeric: true });

/**
 * Outputs by their node's place in the workflow; within a node its files, then what it said, each as it listed them, so that the
 * first output is a file wherever there is one. The same whether events told of them, the history, or each of some.
 * @param nodes ids of the workflow's nodes
 */
export function inOrder(made: readonly RunOutput[], nodes: readonly string[]): RunOutput[] {
  const places = new Map(nodes.map((node, index) => [node, index]));
  const placeOf = ({ displayNode }: RunOutput) => places.get(displayNode) ?? nodes.length;
  return made.toSorted(
    (a, b) =>
      placeOf(a) - placeOf(b) ||
      Number(a.form === 'text') - Number(b.form === 'text') ||
      // Nodes that one was expanded into (17).
      IDS.compare(a.node, b.node),
  );
}
