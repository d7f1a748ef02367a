import { BackendError } from './backend.error.js';

/** How long a server has left questions about a prompt without an answer that tells. */
export class Unanswered {
  private since: number | undefined;
  private refusedSince: number | undefined;

  /** Milliseconds since the first question that was not answered; 0 where the last one was. */
  get forMs(): number {
    return this.since === undefined ? 0 : Date.now() - this.since;
  }

  /** The same, for as long as nobody took the connection: see `BackendError.refused`. */
  get refusedForMs(): number {
    return this.refusedSince === undefined ? 0 : Date.now() - this.refusedSince;
  }

  /** @param askedAt when the question was asked, in ms since the epoch */
  note(error: unknown, askedAt: number): void {
    this.since ??= askedAt;
    if (error instanceof BackendError && error.refused) this.refusedSince ??= askedAt;
    else this.refusedSince = undefined;
  }

  /** The server has answered, or has told something by itself. */
  clear(): void {
    this.since = undefined;
    this.refusedSince = undefined;
  }
}
