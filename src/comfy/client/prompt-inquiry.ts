import { BackendError } from './backend.error.js';
import type { ComfyHttp } from './comfy-http.js';
import { type HistoryOutcome, readHistoryEntry } from './history.js';

/** How a prompt is, by the server's own books. `promptId` is the id the server uses. */
export type Finding =
  | { is: 'waiting'; promptId: string; running: boolean }
  | { is: 'ended'; promptId: string; outcome: HistoryOutcome }
  /** For certain neither in the queue nor in the history: never taken, deleted by somebody, or lost in a restart. */
  | { is: 'missing' };

/**
 * Asks `/history` and `/queue` about a prompt; only both together tell unknown, pending, running and lost apart.
 * @param mark the id we asked for, by which the prompt is found where the server chose another
 * @param idKnown whether `promptId` is certain to be the one the server uses
 * @throws BackendError where the answers do not tell; what cannot be read is never taken for `missing`
 */
export async function inquire(
  http: ComfyHttp,
  promptId: string,
  mark: string,
  idKnown: boolean,
): Promise<Finding> {
  // History, queue, history: a prompt that ends in between is seen, for it leaves the queue when its history is written.
  const early = readHistoryEntry(await http.history(promptId));
  if (early !== undefined) return { is: 'ended', promptId, outcome: early };
  const { running, pending, complete } = await http.queue();
  const row = [...running, ...pending].find((item) => item.promptId === promptId || item.mark === mark);
  if (row !== undefined) return { is: 'waiting', promptId: row.promptId, running: running.includes(row) };
  const late = readHistoryEntry(await http.history(promptId));
  if (late !== undefined) return { is: 'ended', promptId, outcome: late };
  if (!complete) throw new BackendError('unreadable', 'The queue holds rows that cannot be read', 200);
  if (idKnown) return { is: 'missing' };
  const marked = await http.historyByMark(mark);
  const outcome = readHistoryEntry(marked?.entry);
  return marked === undefined || outcome === undefined
    ? { is: 'missing' }
    : { is: 'ended', promptId: marked.promptId, outcome };
}
