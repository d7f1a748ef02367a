import type { IncomingMessage, ServerResponse } from 'node:http';

/** Why a request is ended before its handler answers. */
export type Refusal = 'body_stalled' | 'caller_memory' | 'server_memory';

/** One request and its response, while they are under way. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Whose share it takes. */
  readonly network: string;
  /** Bytes of the body held in memory. */
  buffered: number;
  /** Bytes of the connection at the last look that showed progress, and when that was (`performance.now`). */
  received: number;
  receivedAt: number;
  sent: number;
  sentAt: number;
}
