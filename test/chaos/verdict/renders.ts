import type { Execution } from '../processes/standin-protocol.js';

/** How often the workflows of jobs ran to success. */
export interface Renders {
  /** Prompts that ran to success. */
  all: number;
  /** Titles of answered jobs that did more than once, and how often. */
  repeated: Map<string, number>;
  /** Titles of answered jobs that nobody was seen to render: it was in the last moment of a stand-in. */
  unseen: string[];
}

/** @param answered titles of jobs that were answered with the right bytes */
export function countRenders(executed: readonly Execution[], answered: ReadonlySet<string>): Renders {
  const counts = new Map<string, number>();
  let all = 0;
  for (const { title, outcome } of executed) {
    if (outcome !== 'success') continue;
    all += 1;
    if (title !== undefined) counts.set(title, (counts.get(title) ?? 0) + 1);
  }
  const repeated = new Map([...counts].filter(([title, count]) => count > 1 && answered.has(title)));
  return { all, repeated, unseen: [...answered].filter((title) => !counts.has(title)) };
}
