import { readFile } from 'node:fs/promises';
import { addAbortSignal, type Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { usageError, whyOf } from '../cli.error.js';
import { parseJson } from './json.js';

/** A node of the API format, as far as assignments need it. */
export interface WorkflowNode {
  class_type?: unknown;
  inputs?: Record<string, unknown>;
  _meta?: { title?: unknown };
}

const EXPORT_HINT = 'In ComfyUI choose "Workflow > Export (API)" and use that file.';

/**
 * Reads a workflow. What it holds is for the server to judge; here it only has to be JSON.
 * @param path `-`: standard input
 * @throws CliError `usage`; the reason of the signal
 */
export async function readWorkflow(path: string, stdin: Readable, signal: AbortSignal): Promise<unknown> {
  const name = path === '-' ? 'standard input' : path;
  let source: string;
  try {
    source = path === '-' ? await text(addAbortSignal(signal, stdin)) : await readFile(path, 'utf8');
  } catch (error) {
    signal.throwIfAborted();
    throw usageError(`The workflow ${path} cannot be read: ${whyOf(error)}.`, EXPORT_HINT);
  }
  try {
    // Editors of Windows put a byte order mark before it.
    return parseJson(source.replace(/^\uFEFF/, ''));
  } catch (error) {
    const why = source.trim() === '' ? 'it is empty' : (error as Error).message;
    throw usageError(`The workflow in ${name} is not JSON: ${why}.`, EXPORT_HINT);
  }
}

/** Nodes by id: a workflow that inputs can be set in. */
export function isApiFormat(workflow: unknown): workflow is Record<string, WorkflowNode> {
  return isObject(workflow) && !Array.isArray(workflow['nodes']) && Object.values(workflow).every(isNode);
}

function isNode(value: unknown): boolean {
  return isObject(value) && (value['inputs'] === undefined || isObject(value['inputs']));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
