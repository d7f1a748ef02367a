import type { NodeClass } from '../client/index.js';
import { ComfyError } from '../comfy.error.js';
import { isOutputClass, mayOverwrite, type Workflow } from '../workflow/index.js';

/** What a run has to be told apart by, and what is wanted of it. */
export interface OutputWish {
  /** The node whose files are wanted; undefined: those of all. */
  outputNode?: string | undefined;
  /** The job's own folder in ComfyUI's output folder; undefined: it has none. */
  folder?: string | undefined;
}

/** How a run is given to one ComfyUI. */
export interface OutputPlan {
  /** Output nodes to limit the run to; undefined: all of the workflow. */
  targets: readonly string[] | undefined;
  /** Nodes that have to run again, because what the cache names could be another job's file. */
  rerun: ReadonlySet<string>;
}

/**
 * Looks up what the server says of the workflow's classes.
 * @param find see `Backend.nodeClass`; a class that cannot be asked for counts as an output node
 * @throws ComfyError `no_output` where the node that is asked for makes none by its class
 */
export async function planOutputs(
  workflow: Workflow,
  { outputNode, folder }: OutputWish,
  find: (className: string) => Promise<NodeClass | undefined>,
): Promise<OutputPlan> {
  const wish = outputNode === undefined ? undefined : workflow[outputNode]?.class_type;
  const classes = new Set(Object.values(workflow).map(({ class_type }) => class_type));
  // Nothing else matters where a known output node is wanted; a question would let jobs that come later overtake this one.
  const names = wish !== undefined && isOutputClass(wish) === true ? [wish] : [...classes];
  const kinds = new Map(
    await Promise.all(
      names.map(async (name) => [name, isOutputClass(name) ?? (await askFor(name, find))] as const),
    ),
  );
  const kindOf = (id: string) => kinds.get(workflow[id]?.class_type ?? '');
  if (outputNode !== undefined && kindOf(outputNode) === false) {
    throw noOutputNode(workflow, outputNode, (id) => kindOf(id) === true);
  }
  const wanted = Object.entries(workflow).filter(
    ([id]) => outputNode === undefined || kindOf(outputNode) !== true || id === outputNode,
  );
  return {
    targets: outputNode !== undefined && kindOf(outputNode) === true ? [outputNode] : undefined,
    rerun: new Set(
      wanted.flatMap(([id, node]) => (kindOf(id) !== false && mayOverwrite(node, folder) ? [id] : [])),
    ),
  };
}

async function askFor(
  name: string,
  find: (className: string) => Promise<NodeClass | undefined>,
): Promise<boolean | undefined> {
  // Who does not answer will not take the prompt either.
  const found = await find(name).catch(() => undefined);
  return found?.outputNode;
}

function noOutputNode(workflow: Workflow, node: string, makes: (id: string) => boolean): ComfyError {
  const makers = Object.keys(workflow).filter(makes).slice(0, 10);
  const hint =
    makers.length > 0
      ? `Nodes that make some here: ${makers.map((id) => `${id} (${workflow[id]?.class_type})`).join(', ')}.`
      : 'Add a node that saves, such as SaveImage.';
  return new ComfyError(
    'no_output',
    `Node ${node} (${workflow[node]?.class_type}) makes no files and no texts: it is no output node. Nothing was run. ${hint}`,
  );
}
