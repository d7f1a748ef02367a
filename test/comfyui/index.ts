export { ComfyStandin } from './standin.js';
export type { StandinOptions } from './options.js';
export type { Faults, RouteName } from './faults.js';
export type { JournalEntry } from './http/journal.js';
export type { ExecutedPrompt } from './execution/worker.js';
export type { Outcome } from './execution/outcome.js';
export { probeBytes } from './nodes/probe-nodes.js';
export type { FileRef, FolderType, Graph, GraphNode, HistoryEntry, QueueRow } from './types.js';
