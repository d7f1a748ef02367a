import type { Workflow, WorkflowNode } from './workflow.js';

/**
 * Classes that make the folders of their `filename_prefix` below ComfyUI's output folder and list every file that they save. Read in
 * the source of ComfyUI 0.3.64 and 0.8.0 (`folder_paths.get_save_image_path` and a UI output), and in VideoHelperSuite. Others take a
 * plain file name, list nothing, or save models, which loaders look for in their own folders: their prefix is left alone.
 */
const FOLDER_CLASSES: ReadonlySet<string> = new Set([
  'SaveImage',
  'SaveLatent',
  'SaveAnimatedWEBP',
  'SaveAnimatedPNG',
  'SaveSVGNode',
  'SaveAudio',
  'SaveAudioMP3',
  'SaveAudioOpus',
  'SaveVideo',
  'SaveWEBM',
  'SaveGLB',
  'VHS_VideoCombine',
]);

/** Inputs that hold the name of a file or folder to write. */
const NAME_INPUTS: ReadonlySet<string> = new Set([
  'filename_prefix',
  'filename',
  'file_name',
  'folder_name',
  'output_name',
  'save_name',
]);

/** What no name of a file holds: control characters, line separators, halves of characters. They break ComfyUI's `/view`. */
const UNUSABLE = /[\p{Cc}\u2028\u2029\p{Surrogate}]/gu;

/** Does the class save into folders of its prefix, and list what it saves? */
export function isFolderClass(name: string): boolean {
  return FOLDER_CLASSES.has(name);
}

/** Does the node save into a folder that is part of its prefix, and is that prefix ours to change? */
export function takesJobFolder({ class_type, inputs }: WorkflowNode): boolean {
  return FOLDER_CLASSES.has(class_type) && typeof inputs?.['filename_prefix'] === 'string';
}

/**
 * Puts everything a job saves into a folder of its own, by rewriting each literal `filename_prefix` of the known save nodes.
 *
 * ComfyUI's save nodes list their whole target folder to find the next number: with 105,000 files a prompt takes 286 ms
 * instead of 5 ms. A folder of its own also keeps jobs apart and makes a save node run again, so that a cached output
 * never names a file that is gone (recording 23b). A prefix that is a link to another node is left alone.
 */
export function inJobFolder(workflow: Workflow, folder: string): Workflow {
  return mapNodes(workflow, (node) =>
    takesJobFolder(node)
      ? withPrefix(node, `${folder}/${relativePrefix(node.inputs?.['filename_prefix'] as string)}`)
      : node,
  );
}

/** The workflow with names of files to write that ComfyUI can hand out again: each character that it cannot becomes `_`. */
export function withCleanNames(workflow: Workflow): Workflow {
  return mapNodes(workflow, (node) => {
    const changed = Object.entries(node.inputs ?? {}).flatMap(([input, value]) => {
      if (typeof value !== 'string' || !NAME_INPUTS.has(input)) return [];
      const clean = value.replace(UNUSABLE, '_');
      return clean === value ? [] : [[input, clean] as const];
    });
    return changed.length === 0
      ? node
      : { ...node, inputs: { ...node.inputs, ...Object.fromEntries(changed) } };
  });
}

/**
 * The folder of a job in ComfyUI's output folder: `sync/<yyyymmdd>/<2 hex>/<job id>`, with `-2` for a second try and so
 * on: what is left of an earlier one must not be mistaken for it. The day lets an operator clean up
 * by age; the two hex digits keep any one folder below a few thousand entries.
 */
export function jobFolder(jobId: string, attempt: number, now: Date): string {
  const day = now.toISOString().slice(0, 10).replaceAll('-', '');
  return `sync/${day}/${jobId.slice(-2)}/${jobName(jobId, attempt)}`;
}

/** Names one try of a job. */
export function jobName(jobId: string, attempt: number): string {
  return `${jobId}${attempt === 1 ? '' : `-${attempt}`}`;
}

/**
 * Is a subfolder, as ComfyUI tells it, inside the folder of this try of the job? It may stand behind folders that the operator put in
 * front (`--date-based-output`), and has backslashes on Windows. The day is not compared: a restart may lie between.
 */
export function isInJobFolder(subfolder: string, jobId: string, attempt: number): boolean {
  const parts = subfolder.replaceAll('\\', '/').split('/');
  const name = jobName(jobId, attempt);
  return parts.some(
    (part, at) =>
      part === name &&
      parts[at - 1] === jobId.slice(-2) &&
      /^\d{8}$/.test(parts[at - 2] ?? '') &&
      parts[at - 3] === 'sync' &&
      !parts.slice(at).includes('..'),
  );
}

/**
 * A prefix that stays inside the folder it is put into: without a drive, a slash in front or `..` parts. `..` within a name becomes
 * `__`, because `/view` refuses every name that holds it (18).
 */
function relativePrefix(prefix: string): string {
  const parts = prefix
    .replace(/^[A-Za-z]:(?=[\\/])/, '')
    .split(/([\\/]+)/)
    .filter((part) => part !== '..' && part !== '.')
    .join('')
    .replace(/^[\\/]+/, '')
    .replaceAll('..', '__');
  return parts === '' ? 'ComfyUI' : parts;
}

function withPrefix(node: WorkflowNode, filename_prefix: string): WorkflowNode {
  return { ...node, inputs: { ...node.inputs, filename_prefix } };
}

function mapNodes(workflow: Workflow, change: (node: WorkflowNode) => WorkflowNode): Workflow {
  return Object.fromEntries(Object.entries(workflow).map(([id, node]) => [id, change(node)]));
}
