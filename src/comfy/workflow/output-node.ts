import { ComfyError } from '../comfy.error.js';
import type { Workflow } from './workflow.js';

/**
 * The id of the wanted output node as the workflow writes it.
 * @throws ComfyError `output_node_not_found`
 */
export function findOutputNode(workflow: Workflow, wanted: string | number): string {
  const id = String(wanted);
  if (Object.hasOwn(workflow, id)) return id;
  const saving = Object.keys(workflow).filter((key) => /save|preview/i.test(workflow[key]?.class_type ?? ''));
  const hint =
    saving.length > 0 ? ` Nodes that save or preview here: ${saving.slice(0, 10).join(', ')}.` : '';
  throw new ComfyError(
    'output_node_not_found',
    `There is no node ${JSON.stringify(id.slice(0, 64))} in the workflow.${hint}`,
  );
}

/** Where a node's files went; `memory` for pictures that came over the socket. */
export type OutputPlace = 'output' | 'temp' | 'input' | 'memory';

/**
 * Which node a caller means who named none: the only one that made files, else the first in the workflow that saved to
 * `output` (a picture over the socket counts as saved), else the first that made any.
 */
export function chooseOutputNode(
  workflow: Workflow,
  places: ReadonlyMap<string, readonly OutputPlace[]>,
): string | undefined {
  const made = Object.keys(workflow).filter((id) => (places.get(id)?.length ?? 0) > 0);
  const saved = made.find((id) => places.get(id)?.some((place) => place === 'output' || place === 'memory'));
  return made.length === 1 ? made[0] : (saved ?? made[0]);
}
