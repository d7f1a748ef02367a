import { ComfyError, type NodeErrors, type NodeInput } from '../comfy.error.js';
import { unwrapWorkflow } from './unwrap.js';

/** One node of an API-format workflow. An input is a literal, or a link `[node id, output index]`. */
export interface WorkflowNode {
  class_type: string;
  inputs?: Record<string, unknown>;
  _meta?: Record<string, unknown>;
}

/** An API-format workflow as ComfyUI exports it: nodes by id. Ids are strings and need not be numbers (`57:8`). */
export type Workflow = Record<string, WorkflowNode>;

/** Nodes of a workflow; the largest that people share have about a thousand. */
const MAX_NODES = 5_000;

/** Broken nodes that are named. */
const MAX_NAMED = 100;

const EXPORT_HINT = 'In ComfyUI choose "Workflow > Export (API)" and send that file.';

/**
 * Takes whatever the caller sent for a workflow, in a wrapper of the ComfyUI page or without one.
 * @throws ComfyError `workflow_format_ui` for the page's own format, `invalid_workflow` naming each broken node
 */
export function parseWorkflow(given: unknown): Workflow {
  const value = unwrapWorkflow(given)?.workflow ?? given;
  if (!isObject(value)) {
    throw new ComfyError('invalid_workflow', `The workflow must be an object of nodes by id. ${EXPORT_HINT}`);
  }
  if (Array.isArray(value['nodes'])) {
    throw new ComfyError(
      'workflow_format_ui',
      `This is a workflow as the ComfyUI page saves it ("nodes" and "links"); ComfyUI can only run the API format. ${EXPORT_HINT}`,
    );
  }
  const entries = Object.entries(value);
  if (entries.length === 0) {
    throw new ComfyError('invalid_workflow', `The workflow has no nodes. ${EXPORT_HINT}`);
  }
  if (entries.length > MAX_NODES) {
    throw new ComfyError(
      'invalid_workflow',
      `The workflow has ${entries.length} nodes; this server takes ${MAX_NODES}.`,
    );
  }
  const nodeErrors: NodeErrors = Object.create(null) as NodeErrors;
  for (const [id, node] of entries) {
    if (Object.keys(nodeErrors).length === MAX_NAMED) break;
    const problem = nodeProblem(node);
    if (problem !== undefined) nodeErrors[id] = { class_type: '', errors: [problem] };
  }
  const broken = Object.keys(nodeErrors);
  if (broken.length > 0) {
    throw new ComfyError(
      'invalid_workflow',
      `Not in the API format: node ${broken.slice(0, 5).join(', ')}${broken.length > 5 ? ', …' : ''}. ${EXPORT_HINT}`,
      { nodeErrors },
    );
  }
  return value as Workflow;
}

/** The link an input holds, or undefined for a literal. */
export function linkOf(input: unknown): { node: string; output: number } | undefined {
  if (!Array.isArray(input) || input.length !== 2) return undefined;
  const [node, output] = input as [unknown, unknown];
  if (typeof node !== 'string' || typeof output !== 'number') return undefined;
  return { node, output };
}

/** The workflow with another value in one input. The original is not changed. */
export function withInput(workflow: Workflow, { node, input }: NodeInput, value: unknown): Workflow {
  const before = workflow[node];
  if (before === undefined) return workflow;
  return { ...workflow, [node]: { ...before, inputs: { ...before.inputs, [input]: value } } };
}

function nodeProblem(node: unknown) {
  if (!isObject(node)) return { type: 'invalid_node', message: 'A node must be an object', details: '' };
  if (typeof node['class_type'] !== 'string' || node['class_type'] === '') {
    return { type: 'missing_class_type', message: 'The node has no class_type', details: '' };
  }
  if (node['inputs'] !== undefined && !isObject(node['inputs'])) {
    return { type: 'invalid_inputs', message: 'The inputs of a node must be an object', details: '' };
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
