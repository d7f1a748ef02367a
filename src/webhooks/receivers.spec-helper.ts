import { type Answered, Outbound, OutboundError, type PostOptions } from '../outbound/index.js';

export interface Call {
  url: string;
  id: string;
  timestamp: number;
  type: string;
  data: { job_id: string; progress?: { value: number }; error?: { code: string } };
  /** Answers it: a status, or an error. */
  answer(outcome: number | OutboundError, headers?: Record<string, string>): void;
}

/** Receivers whose answers the test gives, or a rule of its. */
export class Receivers extends Outbound {
  readonly calls: Call[] = [];
  /** Answers at once, where it says something. */
  rule: (call: Call) => number | undefined = () => undefined;
  /** Calls that have no answer yet. */
  waiting = 0;

  check(url: string): URL {
    if (url.includes('private')) throw new OutboundError('not_allowed', 'is no address that may be called');
    return new URL(url);
  }

  async close(): Promise<void> {}

  get(): never {
    throw new Error('nothing is fetched');
  }

  post(url: string, { headers, body, signal }: PostOptions): Promise<Answered> {
    return new Promise((resolve, reject) => {
      this.waiting += 1;
      const done =
        <T>(settle: (value: T) => void) =>
        (value: T) => {
          this.waiting -= 1;
          settle(value);
        };
      signal?.addEventListener('abort', () => done(reject)(signal.reason));
      const call: Call = {
        ...(JSON.parse(body) as Pick<Call, 'type' | 'data'>),
        url,
        id: headers['webhook-id'] ?? '',
        timestamp: Number(headers['webhook-timestamp']),
        answer: (outcome, answered = {}) =>
          typeof outcome === 'number'
            ? done(resolve)({ status: outcome, headers: answered })
            : done(reject)(outcome),
      };
      this.calls.push(call);
      const status = this.rule(call);
      if (status !== undefined) call.answer(status);
    });
  }
}
