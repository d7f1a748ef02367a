import { usageError } from '../cli.error.js';
import type { WorkflowNode } from './workflow.js';

/** An input of a workflow. */
export interface Place {
  node: string;
  input: string;
}

/** Names that an error shows; whoever has more knows where to look. */
const SHOWN = 20;

/**
 * Finds `<node>.<input>`: the node by its id, or else by its title where only one has it. Where several dots could divide the two, the first
 * one that leads to an input does.
 * @param force take an input that the node does not have yet, too
 * @throws CliError `usage`, naming what there is
 */
export function findInput(
  workflow: Readonly<Record<string, WorkflowNode>>,
  target: string,
  force: boolean,
): Place {
  const places = splits(target).flatMap(({ node, input }) =>
    nodesNamed(workflow, node).map((id) => ({ node: id, input })),
  );
  const found = places.filter(({ node, input }) => Object.hasOwn(workflow[node]?.inputs ?? {}, input));
  const candidates = found.length > 0 ? found : places;
  const [place] = candidates;
  if (place === undefined) throw noSuchNode(workflow, target);
  // An id beats titles, and is one by itself; so several of one name are titles.
  const rivals = candidates.filter(({ input }) => input === place.input);
  if (rivals.length > 1) {
    const ids = rivals.map(({ node }) => node).join(', ');
    throw usageError(`--set ${target}: several nodes have this title (${ids}).`, 'Use the id of the node.');
  }
  if (found.length === 0 && !force) throw noSuchInput(workflow, place);
  return place;
}

/** Every way to divide it at a dot, the first dot first. */
function splits(target: string): Place[] {
  return [...target.matchAll(/\./g)]
    .map(({ index }) => ({ node: target.slice(0, index), input: target.slice(index + 1) }))
    .filter(({ node, input }) => node !== '' && input !== '');
}

function nodesNamed(workflow: Readonly<Record<string, WorkflowNode>>, name: string): string[] {
  if (Object.hasOwn(workflow, name)) return [name];
  return Object.entries(workflow)
    .filter(([, node]) => titleOf(node) === name)
    .map(([id]) => id);
}

function noSuchNode(workflow: Readonly<Record<string, WorkflowNode>>, target: string) {
  const nodes = Object.entries(workflow).map(([id, node]) => `${id} (${titleOf(node) ?? classOf(node)})`);
  return usageError(`--set ${target}: the workflow has no such node.`, `Its nodes are ${listOf(nodes)}.`);
}

function noSuchInput(workflow: Readonly<Record<string, WorkflowNode>>, { node: id, input }: Place) {
  const node = workflow[id] ?? {};
  const inputs = Object.keys(node.inputs ?? {});
  return usageError(
    `--set ${id}.${input}: node ${id} (${classOf(node)}) has no input "${input}".`,
    inputs.length === 0
      ? 'It has no inputs; --force adds this one.'
      : `Its inputs are ${listOf(inputs)}; --force adds another one.`,
  );
}

function titleOf(node: WorkflowNode): string | undefined {
  const title = node._meta?.title;
  return typeof title === 'string' ? title : undefined;
}

function classOf(node: WorkflowNode): string {
  return typeof node.class_type === 'string' ? node.class_type : 'of no class';
}

function listOf(names: readonly string[]): string {
  const more = names.length - SHOWN;
  return names.slice(0, SHOWN).join(', ') + (more > 0 ? `, and ${more} more` : '');
}
