import type { NodeError, NodeErrors } from '../comfy.error.js';
import { asRecord, asString } from './messages.js';
import { redact } from './redact.js';

/**
 * ComfyUI's `node_errors` of `POST /prompt` (04, 16) in our shape. Its `extra_info` is dropped but for the input's name:
 * it holds tracebacks with paths.
 */
export function readNodeErrors(raw: unknown): NodeErrors {
  const result = Object.create(null) as NodeErrors;
  for (const [node, value] of Object.entries(asRecord(raw) ?? {})) {
    const data = asRecord(value);
    if (data === undefined) continue;
    const errors = Array.isArray(data['errors']) ? (data['errors'] as unknown[]) : [];
    result[node] = { class_type: asString(data['class_type']) ?? '', errors: errors.map(readError) };
  }
  return result;
}

/** Ids of the output nodes that will not run because of these errors (16). */
export function skippedOutputs(raw: unknown): Set<string> {
  const skipped = new Set<string>();
  for (const value of Object.values(asRecord(raw) ?? {})) {
    const outputs = asRecord(value)?.['dependent_outputs'];
    for (const output of Array.isArray(outputs) ? (outputs as unknown[]) : []) {
      if (typeof output === 'string') skipped.add(output);
    }
  }
  return skipped;
}

function readError(raw: unknown): NodeError {
  const data = asRecord(raw);
  const input = asString(asRecord(data?.['extra_info'])?.['input_name']);
  return {
    type: asString(data?.['type']) ?? 'unknown',
    message: redact(asString(data?.['message']) ?? ''),
    details: redact(asString(data?.['details']) ?? ''),
    ...(input === undefined ? {} : { input }),
  };
}
