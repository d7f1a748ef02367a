import { linkOf, type Workflow } from './workflow.js';

/** Its pictures exist only in frames of the socket: neither `/history` nor the disk has them (13, 13b). */
export const SOCKET_OUTPUT_CLASS = 'SaveImageWebsocket';

/**
 * The workflow with SaveImageWebsocket in place of the SaveImage nodes whose pictures are wanted; undefined where there is none. A
 * node that another one links to is left alone: what is linked to has to stay what it is.
 * @param outputNode the node whose files are wanted; undefined: those of all
 */
export function overSocket(workflow: Workflow, outputNode: string | undefined): Workflow | undefined {
  const linked = new Set(
    Object.values(workflow).flatMap(({ inputs = {} }) =>
      Object.values(inputs).flatMap((input) => linkOf(input)?.node ?? []),
    ),
  );
  let swapped = false;
  const nodes = Object.entries(workflow).map(([id, node]) => {
    const wanted = outputNode === undefined || outputNode === id;
    if (!wanted || node.class_type !== 'SaveImage' || linked.has(id)) return [id, node] as const;
    swapped = true;
    const { images } = node.inputs ?? {};
    return [id, { ...node, class_type: SOCKET_OUTPUT_CLASS, inputs: { images } }] as const;
  });
  return swapped ? Object.fromEntries(nodes) : undefined;
}

/** Is a picture wanted that comes over the socket by the workflow's own doing? */
export function wantsSocket(workflow: Workflow, outputNode: string | undefined): boolean {
  const nodes = outputNode === undefined ? Object.values(workflow) : [workflow[outputNode]];
  return nodes.some((node) => node?.class_type === SOCKET_OUTPUT_CLASS);
}
