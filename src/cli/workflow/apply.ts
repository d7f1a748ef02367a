import type { Assignment } from './assignment.js';
import { findInput, type Place } from './find-input.js';
import type { WorkflowNode } from './workflow.js';

/** An assignment, and the input that it means. */
export interface PlacedAssignment extends Assignment {
  place: Place;
}

/** Finds every input before anything is uploaded. @throws CliError `usage` */
export function placeAssignments(
  workflow: Readonly<Record<string, WorkflowNode>>,
  assignments: readonly Assignment[],
  force: boolean,
): PlacedAssignment[] {
  return assignments.map((assignment) => ({
    ...assignment,
    place: findInput(workflow, assignment.target, force),
  }));
}

/**
 * The workflow with its inputs set; of several for one input the last counts. The original is not changed.
 * @param assetOf id of the uploaded file, by its path
 */
export function applyAssignments(
  workflow: Readonly<Record<string, WorkflowNode>>,
  assignments: readonly PlacedAssignment[],
  assetOf: ReadonlyMap<string, string>,
): Record<string, WorkflowNode> {
  const set = new Map<string, [string, unknown][]>();
  for (const { place, value } of assignments) {
    const given =
      value.kind === 'value' ? value.value : { __type: 'core/ASSET', info: { id: assetOf.get(value.path) } };
    set.set(place.node, [...(set.get(place.node) ?? []), [place.input, given]]);
  }
  return Object.fromEntries(
    Object.entries(workflow).map(([id, node]) => {
      const inputs = set.get(id);
      if (inputs === undefined) return [id, node];
      return [id, { ...node, inputs: Object.fromEntries([...Object.entries(node.inputs ?? {}), ...inputs]) }];
    }),
  );
}
