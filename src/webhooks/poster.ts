import { Logger } from '@nestjs/common';
import { type Outbound, OutboundError, type OutboundErrorCode } from '../outbound/index.js';
import type { Signer } from './signer.js';

/** What became of one try. */
export interface Answer {
  /** HTTP status, where there was a whole answer. */
  status: number | undefined;
  /** Why there was none. */
  error: OutboundErrorCode | undefined;
  /** Milliseconds after which the receiver wants to be called again, where it says so. */
  retryAfterMs?: number | undefined;
}

export interface Letter {
  /** The `webhook-id`. */
  id: string;
  url: string;
  body: string;
}

/** Calls receivers. */
export class Poster {
  private readonly logger = new Logger('Webhooks');

  constructor(
    private readonly outbound: Outbound,
    private readonly signer: Signer,
  ) {}

  /** One try; rejects only with the signal's reason. */
  async post({ id, url, body }: Letter, timeoutMs: number, signal: AbortSignal): Promise<Answer> {
    if (this.signer.secretsFor(url).length === 0) return { status: undefined, error: 'not_allowed' };
    const headers = {
      'content-type': 'application/json',
      ...this.signer.headersOf(id, url, new Date(), body),
    };
    try {
      const answer = await this.outbound.post(url, { headers, body, timeoutMs, signal });
      const retryAfterMs = retryAfterOf(answer.headers['retry-after'], Date.now());
      return { status: answer.status, error: undefined, retryAfterMs };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof OutboundError) return { status: error.status, error: error.code };
      this.logger.error(error instanceof Error ? error.stack : 'A call failed');
      return { status: undefined, error: 'unreachable' };
    }
  }
}

/** Taken: a success whose answer came to its end. A redirect is none, as it is not followed. */
export function isTaken({ status, error }: Answer): boolean {
  return error === undefined && status !== undefined && status >= 200 && status < 300;
}

/** What a `Retry-After` header says (RFC 9110, 10.2.3), in milliseconds from `now`; undefined: nothing. */
export function retryAfterOf(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
