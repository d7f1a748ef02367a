import { Logger } from '@nestjs/common';
import { type Outbound, OutboundError, type OutboundErrorCode } from '../outbound/index.js';
import type { Signer } from './signer.js';

/** What became of one try. */
export interface Answer {
  /** HTTP status, where there was a whole answer. */
  status: number | undefined;
  /** Why there was none. */
  error: OutboundErrorCode | undefined;
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
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'comfy-sync-server',
      ...this.signer.headersOf(id, new Date(), body),
    };
    try {
      const { status } = await this.outbound.post(url, { headers, body, timeoutMs, signal });
      return { status, error: undefined };
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
