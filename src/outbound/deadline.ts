import { OutboundError } from './outbound.error.js';

/** One signal for the end of a call: its caller's, or that its time is over. To be ended, so that nothing of it stays. */
export class Deadline {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private readonly leave = () => this.controller.abort(this.caller?.reason);

  constructor(
    timeoutMs: number,
    private readonly caller: AbortSignal | undefined,
  ) {
    this.timer = setTimeout(() => this.controller.abort(tooSlow()), timeoutMs);
    caller?.addEventListener('abort', this.leave, { once: true });
    if (caller?.aborted) this.leave();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  end(): void {
    clearTimeout(this.timer);
    this.caller?.removeEventListener('abort', this.leave);
  }
}

export function tooSlow(cause?: unknown): OutboundError {
  return new OutboundError('timeout', 'The URL was not answered in time.', undefined, cause);
}
