import type { Dialect } from '../dialect.js';
import type { Picture } from '../media/picture.js';
import { PythonError, repr } from '../python.js';
import type { HistoryEntry, HistoryStatus } from '../types.js';

/** How a run ended; `abandoned` is a server that was killed under it. */
export type Outcome = 'success' | 'error' | 'interrupted' | 'abandoned';

export interface RunResult {
  outcome: Outcome;
  outputs: HistoryEntry['outputs'];
  meta: HistoryEntry['meta'];
  messages: HistoryStatus['messages'];
}

/** Thrown inside a node that notices an interrupt. */
export class Interrupted extends Error {}

/** Thrown inside a run whose server is gone. */
export class Abandoned extends Error {}

/** Type, message and traceback of `execution_error` (05a, 05b). */
export function describeError(
  error: unknown,
  dialect: Dialect,
): { type: string; message: string; traceback: string[] } {
  const known = error instanceof PythonError;
  const type = known ? error.type : 'RuntimeError';
  const message = error instanceof Error ? error.message : repr(error);
  const last = known && error.raisedAt !== undefined ? [error.raisedAt] : [];
  return {
    type,
    message: dialect.exceptionMessage(type, message),
    traceback: [...dialect.executionFrames, ...last],
  };
}

/** `current_inputs` of `execution_error`: pictures appear as torch would print them. */
export function describeInput(value: unknown): unknown {
  if (Array.isArray(value)) return value.some(isPicture) ? tensor(value as Picture[]) : value;
  if (typeof value === 'object' && value !== null) return '<object>';
  return value;
}

function isPicture(value: unknown): value is Picture {
  return typeof value === 'object' && value !== null && 'pixels' in value;
}

/** `str(tensor)`, abridged to three at each end as torch does; every pixel is told by the first one. */
function tensor(images: readonly Picture[]): string {
  const [first] = images;
  const pixel = first?.solid ?? [...(first?.pixels().subarray(0, 3) ?? [])].map((byte) => byte / 255);
  const numbers = `[${pixel.map((value) => value.toFixed(4)).join(', ')}]`;
  const row = `[${[numbers, numbers, numbers, '...', numbers, numbers, numbers].join(',\n          ')}]`;
  return `tensor([[${[row, row, row, '...', row, row, row].join(',\n\n         ')}]])`;
}
