import { asRecord, asString, parseFailure, type ExecutionFailure } from './messages.js';
import { readNodeOutput, type RunOutput } from './outputs.js';

/** How a prompt ended, as its history entry tells it. */
export type HistoryOutcome =
  | { ended: 'success'; outputs: RunOutput[] }
  | { ended: 'error'; failure: ExecutionFailure }
  | { ended: 'interrupted' };

/**
 * Reads one entry of `/history`. Failure and interruption both have `status_str: "error"`; only the last of `messages`
 * tells which (05a, 07). Undefined while the entry says nothing final.
 */
export function readHistoryEntry(entry: unknown): HistoryOutcome | undefined {
  const data = asRecord(entry);
  const status = asRecord(data?.['status']);
  if (data === undefined) return undefined;
  const messages = Array.isArray(status?.['messages']) ? (status['messages'] as unknown[]) : [];
  for (const message of messages.toReversed()) {
    const [type, detail] = Array.isArray(message) ? (message as unknown[]) : [];
    if (type === 'execution_error') return { ended: 'error', failure: parseFailure(asRecord(detail) ?? {}) };
    if (type === 'execution_interrupted') return { ended: 'interrupted' };
  }
  if (status !== undefined && asString(status['status_str']) === 'error') {
    return { ended: 'error', failure: parseFailure({}) };
  }
  return { ended: 'success', outputs: readOutputs(data) };
}

function readOutputs(entry: Record<string, unknown>): RunOutput[] {
  const meta = asRecord(entry['meta']);
  return Object.entries(asRecord(entry['outputs']) ?? {}).flatMap(([node, output]) => {
    const displayNode = asString(asRecord(meta?.[node])?.['display_node']) ?? node;
    return readNodeOutput(node, displayNode, asRecord(output) ?? {});
  });
}
