import { hash } from 'node:crypto';
import { isModelFile } from './models.js';
import { linkOf, type Workflow, type WorkflowNode } from './workflow.js';

/**
 * Inputs whose value decides how much work there is. By the words of their names, since extensions have names of their own:
 * `num_inference_steps`, `max_frames`, `target_width`, `frame_load_cap`.
 */
const COST =
  /(^|_)(steps?|width|height|batch|count|length|frames?|fps|megapixels?|resolution|duration|seconds|iterations|repeats?|tile|size)(_|$)|^(scale_by|upscale_by|(up)?scale_factor|amount|multiplier|sampler_name)$/i;

/** A node that another one takes such a value from says all its numbers, but for this. */
const CHANCE = /seed/i;

/** Longer texts are no choice from a list, but somebody's words. */
const MAX_TEXT = 64;

/** Name of a node that is not named yet. */
const UNNAMED = '@';

/**
 * A short name for what decides how long a workflow takes: the classes of its nodes, how they are linked, the models, and
 * the numbers that scale the work. Seeds, prompts, file names and the ids of the nodes do not change it.
 *
 * Each node is named after itself and what it takes its inputs from, once, so the cost is that of reading the workflow. What
 * is linked in a circle, which ComfyUI refuses, gets a name too.
 * @returns 16 characters of base64url
 */
export function shapeOf(workflow: Workflow): string {
  const names = new Map<string, string>();
  const costs = new CostInputs();
  const valued = valueNodes(workflow, costs);
  for (const root of Object.keys(workflow)) {
    // A stack of our own: a chain of nodes may be longer than the one of the machine is deep.
    const stack = [root];
    for (let id = stack.at(-1); id !== undefined; id = stack.at(-1)) {
      const node = workflow[id];
      const known = names.get(id);
      if (node === undefined || (known !== undefined && known !== UNNAMED)) {
        stack.pop();
      } else if (known === undefined) {
        // Stands for the node until it has its own, so that a circle ends here.
        names.set(id, UNNAMED);
        for (const value of Object.values(node.inputs ?? {})) {
          const source = linkOf(value)?.node;
          if (source !== undefined && !names.has(source)) stack.push(source);
        }
      } else {
        names.set(id, nameOf(node, names, costs, valued.has(id)));
        stack.pop();
      }
    }
  }
  return digest([...names.values()].sort().join('\n'));
}

function nameOf(
  { class_type, inputs = {} }: WorkflowNode,
  names: ReadonlyMap<string, string>,
  costs: CostInputs,
  valued: boolean,
): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(inputs)) {
    const link = linkOf(value);
    if (link !== undefined) parts.push(`${name}<${names.get(link.node) ?? ''}:${link.output}`);
    else if (matters(name, value, costs, valued)) parts.push(`${name}=${String(value)}`);
  }
  return digest(JSON.stringify([class_type, ...parts.sort()]));
}

function matters(name: string, value: unknown, costs: CostInputs, valued: boolean): boolean {
  switch (typeof value) {
    case 'string':
      return isModelFile(value) || (value.length <= MAX_TEXT && costs.has(name));
    case 'number':
    case 'bigint':
      return costs.has(name) || (valued && !CHANCE.test(name));
    default:
      return false;
  }
}

/** Nodes that hold a value for others, as PrimitiveInt does: a width can be a link. */
function valueNodes(workflow: Workflow, costs: CostInputs): Set<string> {
  const found = new Set<string>();
  for (const { inputs = {} } of Object.values(workflow)) {
    for (const [name, value] of Object.entries(inputs)) {
      const link = linkOf(value);
      if (link !== undefined && costs.has(name)) found.add(link.node);
    }
  }
  return found;
}

/** The same few names come with every node, and looking at one takes longer than remembering it. */
class CostInputs {
  private readonly known = new Map<string, boolean>();

  has(name: string): boolean {
    let cost = this.known.get(name);
    if (cost === undefined) this.known.set(name, (cost = COST.test(name)));
    return cost;
  }
}

function digest(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 16);
}
