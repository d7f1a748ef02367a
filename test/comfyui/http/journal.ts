import type { IncomingHttpHeaders } from 'node:http';
import type { RouteName } from '../faults.js';

/** A request as it came. */
export interface JournalEntry {
  readonly method: string;
  readonly route: RouteName;
  /** Without the query, as it was asked. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingHttpHeaders;
  /** The body as text, digits untouched; empty for uploads. */
  readonly text: string;
  /** The body parsed anew at every look, since validation writes into what it was given; undefined when it is not JSON. */
  readonly body: unknown;
  /** Bytes of the body. */
  readonly bytes: number;
  readonly at: number;
}

/** The last requests of one server. */
export class Journal {
  readonly entries: JournalEntry[] = [];

  constructor(private readonly size: number) {}

  add(entry: Omit<JournalEntry, 'body' | 'at'>): void {
    this.entries.push({
      ...entry,
      at: Date.now(),
      get body(): unknown {
        try {
          return JSON.parse(entry.text);
        } catch {
          return undefined;
        }
      },
    });
    if (this.entries.length > this.size) this.entries.shift();
  }
}
