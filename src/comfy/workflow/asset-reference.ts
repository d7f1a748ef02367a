import type { UrlInput } from './media.js';
import type { Workflow, WorkflowNode } from './workflow.js';

/** Where a workflow names an asset in place of a file's name: `{"__type": "core/ASSET", "info": {"id": …}}` (Comfy API v2). */
export interface AssetReference {
  /** UUID; undefined where the reference does not hold one. */
  id: string | undefined;
  node: string;
  /** The input it stands in. */
  input: string;
}

/** Every reference to an asset, wherever in the inputs it stands. */
export function assetReferences(workflow: Workflow): AssetReference[] {
  const found: AssetReference[] = [];
  for (const [node, { inputs = {} }] of Object.entries(workflow)) {
    for (const [input, value] of Object.entries(inputs)) {
      visit(value, (id) => void found.push({ id, node, input }));
    }
  }
  return found;
}

/** The id in a reference; undefined for anything else. Ids that are no text are undefined, too. */
function referenceOf(value: object): { id: string | undefined } | undefined {
  if (!('__type' in value) || value.__type !== 'core/ASSET') return undefined;
  const id = 'info' in value ? (value.info as { id?: unknown } | null)?.id : undefined;
  return { id: typeof id === 'string' ? id.toLowerCase() : undefined };
}

/** Bodies nest 64 levels at most. Most inputs are plain values or links, so this is quick. */
function visit(value: unknown, found: (id: string | undefined) => void): void {
  if (typeof value !== 'object' || value === null) return;
  const reference = Array.isArray(value) ? undefined : referenceOf(value);
  if (reference !== undefined) return found(reference.id);
  for (const item of Object.values(value)) visit(item, found);
}

/**
 * The workflow with names of files in place of references and URLs; what is not in `names` stays. The original is not changed.
 * @param names by the id of an asset, or by URL
 * @param urls the inputs whose URL stands for a file: what looks like one elsewhere is a text
 */
export function withFileNames(
  workflow: Workflow,
  names: ReadonlyMap<string, string>,
  urls: readonly UrlInput[] = [],
): Workflow {
  if (names.size === 0) return workflow;
  const byNode = new Map<string, UrlInput[]>();
  for (const url of urls) byNode.set(url.node, [...(byNode.get(url.node) ?? []), url]);
  return Object.fromEntries(
    Object.entries(workflow).map(([id, node]) => {
      const named = replaceIn(node.inputs, (asset) => names.get(asset)) as WorkflowNode['inputs'];
      const fetched = (byNode.get(id) ?? []).map(({ input, url }) => [input, names.get(url) ?? url] as const);
      const inputs = fetched.length === 0 ? named : { ...named, ...Object.fromEntries(fetched) };
      return [id, inputs === node.inputs ? node : { ...node, inputs: inputs ?? {} }];
    }),
  );
}

/** Replaces references, where `nameOf` knows better; what holds none is passed on as it is. Bodies nest 64 levels at most. */
function replaceIn(value: unknown, nameOf: (id: string) => string | undefined): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map((item) => replaceIn(item, nameOf));
    return items.every((item, index) => item === value[index]) ? value : items;
  }
  const reference = referenceOf(value);
  if (reference !== undefined)
    return (reference.id === undefined ? undefined : nameOf(reference.id)) ?? value;
  const entries = Object.entries(value).map(([key, item]) => [key, replaceIn(item, nameOf)] as const);
  const same = entries.every(([key, item]) => item === (value as Record<string, unknown>)[key]);
  return same ? value : Object.fromEntries(entries);
}

/** What stands in a workflow for an asset. */
export function referenceTo(id: string): object {
  return { __type: 'core/ASSET', info: { id } };
}
