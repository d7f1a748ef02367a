import type { Faults, Outcome } from '../../comfyui/index.js';

/** What can go wrong inside a stand-in, by the names of `test/comfyui/faults.ts`. */
export type FaultName =
  | 'clear'
  | 'closeSockets'
  | 'delay'
  | 'dropSockets'
  | 'failNext'
  | 'forgetAll'
  | 'hangNext'
  | 'lateHistory'
  | 'loseEvents'
  | 'muteSockets'
  | 'oomNext'
  | 'resetNext'
  | 'slowView'
  | 'swallowPrompt'
  | 'truncateView'
  | 'unmuteSockets';

export type FaultArguments<Name extends FaultName> = Parameters<Faults[Name]>;

/** To the child. */
export type Order = { id: number } & (
  { do: 'fault'; name: FaultName; args: readonly unknown[] } | { do: 'look' }
);

/** From the child. */
export type Report =
  | { type: 'listening' }
  | { type: 'executed'; prompts: Execution[] }
  | { type: 'done'; id: number; look?: StandinLook; error?: string };

/** A prompt that ran; times in milliseconds since 1970. */
export interface Execution {
  promptId: string;
  /** `_meta.title` of its first node that has one: which job it is for. */
  title: string | undefined;
  outcome: Outcome;
  startedAt: number;
  endedAt: number;
}

/** How a stand-in is now. */
export interface StandinLook {
  running: string[];
  pending: string[];
  history: number;
  /** Open WebSockets. */
  sockets: number;
}
