import { isFolderClass, takesJobFolder } from './job-folder.js';
import { SOCKET_OUTPUT_CLASS } from './socket-outputs.js';
import type { Workflow, WorkflowNode } from './workflow.js';

/**
 * Output nodes whose files cannot be somebody else's. Core previews choose random names (`PreviewImage`, `UI.PreviewImage`); others show
 * texts only, or list no file at all (model and data set savers). Read in the source of ComfyUI 0.3.64 and 0.8.0.
 */
const HARMLESS: ReadonlySet<string> = new Set([
  SOCKET_OUTPUT_CLASS,
  'PreviewImage',
  'MaskPreview',
  'PreviewAudio',
  'PreviewAny',
  'ShowText|pysssss',
  'CheckpointSave',
  'CLIPSave',
  'VAESave',
  'ModelSave',
  'ImageOnlyCheckpointSave',
  'LoraSave',
  'SaveLoRA',
  'SaveLoRANode',
  'SaveTrainingDataset',
  'SaveImageDataSetToFolder',
  'SaveImageTextDataSetToFolder',
]);

/** Core classes that are no output nodes, so that a server is not asked about them: the most common ones. */
const NO_OUTPUT: ReadonlySet<string> = new Set([
  'CheckpointLoaderSimple',
  'CLIPTextEncode',
  'CLIPLoader',
  'ControlNetApplyAdvanced',
  'ControlNetLoader',
  'DualCLIPLoader',
  'EmptyImage',
  'EmptyLatentImage',
  'EmptySD3LatentImage',
  'ImageScale',
  'KSampler',
  'KSamplerAdvanced',
  'LoadImage',
  'LoadImageMask',
  'LoraLoader',
  'LoraLoaderModelOnly',
  'UNETLoader',
  'VAEDecode',
  'VAEEncode',
  'VAELoader',
]);

/** An input that no class has: ComfyUI ignores it, but counts it into the key of its cache, so that the node runs again. */
const MARK_INPUT = 'comfy_sync_job';

/** Is the node known to be an output node, or to be none? Undefined: the server has to be asked. */
export function isOutputClass(name: string): boolean | undefined {
  if (NO_OUTPUT.has(name)) return false;
  return HARMLESS.has(name) || isFolderClass(name) || undefined;
}

/**
 * Could a file that the node names be another job's? So it is with every output node that saves into no folder of the job and is not
 * known to be harmless.
 * @param folders are jobs given folders of their own?
 */
export function mayOverwrite(node: WorkflowNode, folder: string | undefined): boolean {
  if (HARMLESS.has(node.class_type)) return false;
  const prefix = node.inputs?.['filename_prefix'];
  const inFolder =
    folder !== undefined &&
    takesJobFolder(node) &&
    typeof prefix === 'string' &&
    prefix.startsWith(`${folder}/`);
  return !inFolder;
}

/** The workflow with a mark in these nodes, which differs from job to job: none of them is answered from ComfyUI's cache. */
export function withMark(workflow: Workflow, nodes: ReadonlySet<string>, mark: string): Workflow {
  if (nodes.size === 0) return workflow;
  return Object.fromEntries(
    Object.entries(workflow).map(([id, node]) => [
      id,
      nodes.has(id) ? { ...node, inputs: { ...node.inputs, [MARK_INPUT]: mark } } : node,
    ]),
  );
}
