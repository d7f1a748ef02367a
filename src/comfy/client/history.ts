import { BackendError } from './backend.error.js';
import { asRecord, asString, parseFailure, readTimestamp, type ExecutionFailure } from './messages.js';
import { readNodeOutput, type RunOutput } from './outputs.js';

/** How a prompt ended, as its history entry tells it. */
export type HistoryOutcome = (
  { ended: 'success' } | { ended: 'error'; failure: ExecutionFailure } | { ended: 'interrupted' }
) & {
  /** What was made, also before a failure (36). */
  outputs: RunOutput[];
  /** The server's own clock, in ms since the epoch. */
  times: { start: number | undefined; end: number | undefined };
};

const ENDS: ReadonlySet<unknown> = new Set(['execution_success', 'execution_error', 'execution_interrupted']);

/**
 * Reads one entry of `/history`. Failure and interruption both have `status_str: "error"`; only the last end in `messages`
 * tells which (05a, 07).
 * @returns undefined for no entry
 * @throws BackendError `unreadable` for an entry of which neither an end nor outputs can be read
 */
export function readHistoryEntry(entry: unknown): HistoryOutcome | undefined {
  if (entry === undefined) return undefined;
  const data = asRecord(entry) ?? {};
  const status = asRecord(data['status']);
  const messages = (Array.isArray(status?.['messages']) ? (status['messages'] as unknown[]) : []).map(
    (message): readonly [unknown, Record<string, unknown>] => {
      const [type, detail] = Array.isArray(message) ? (message as unknown[]) : [];
      return [type, asRecord(detail) ?? {}];
    },
  );
  const begun = messages.find(([type]) => type === 'execution_start');
  const [end, detail = {}] = messages.findLast(([type]) => ENDS.has(type)) ?? [];
  const common = {
    outputs: readOutputs(data),
    times: { start: begun && readTimestamp(begun[1]).at, end: readTimestamp(detail).at },
  };
  if (end === 'execution_interrupted') return { ended: 'interrupted', ...common };
  if (end === 'execution_error' || (end === undefined && asString(status?.['status_str']) === 'error')) {
    return { ended: 'error', failure: parseFailure(detail), ...common };
  }
  if (asRecord(data['outputs']) === undefined) {
    throw new BackendError('unreadable', 'The history entry holds no end and no outputs', 200);
  }
  return { ended: 'success', ...common };
}

function readOutputs(entry: Record<string, unknown>): RunOutput[] {
  const meta = asRecord(entry['meta']);
  return Object.entries(asRecord(entry['outputs']) ?? {}).flatMap(([node, output]) => {
    const displayNode = asString(asRecord(meta?.[node])?.['display_node']) ?? node;
    return readNodeOutput(node, displayNode, asRecord(output) ?? {});
  });
}
