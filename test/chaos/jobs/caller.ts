import { Agent, request } from 'undici';
import type { JobPlan } from './plan.js';

/** What a caller got. */
export type Answer =
  | { is: 'reply'; status: number; type: string; headers: Record<string, string>; body: Buffer }
  | { is: 'hung up' }
  /** Nothing came within the limit. */
  | { is: 'silence' }
  /** The connection broke, or there was none. */
  | { is: 'broken'; why: string };

/** Callers of one service; they keep connections as most HTTP clients do. */
export class Caller {
  private readonly agent: Agent;

  constructor(
    private readonly baseUrl: string,
    callers: number,
  ) {
    this.agent = new Agent({
      connections: callers,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: 4_000,
    });
  }

  /** Makes the call. Never rejects. @param limitMs milliseconds until it counts as hung @param key for trying it again */
  call(plan: JobPlan, limitMs: number, key?: string): Promise<Answer> {
    const body = JSON.stringify(plan.body);
    return this.ask('POST', plan.path, { limitMs, hangUpAfterMs: plan.hangUpAfterMs, body, key });
  }

  /** A link of a reply, relative or not. Never rejects. */
  get(url: string, limitMs: number): Promise<Answer> {
    return this.ask('GET', url, { limitMs });
  }

  /** Lets go of every connection. */
  async close(): Promise<void> {
    await this.agent.destroy();
  }

  private async ask(
    method: 'GET' | 'POST',
    path: string,
    {
      limitMs,
      hangUpAfterMs,
      body,
      key,
    }: { limitMs: number; hangUpAfterMs?: number | undefined; body?: string; key?: string | undefined },
  ): Promise<Answer> {
    const controller = new AbortController();
    let ended: 'hung up' | 'silence' | undefined;
    const end = (how: 'hung up' | 'silence') => {
      ended = how;
      controller.abort();
    };
    const timers = [setTimeout(end, limitMs, 'silence')];
    if (hangUpAfterMs !== undefined) timers.push(setTimeout(end, hangUpAfterMs, 'hung up'));
    try {
      const reply = await request(new URL(path, this.baseUrl), {
        method,
        dispatcher: this.agent,
        signal: controller.signal,
        ...(body === undefined
          ? {}
          : {
              body,
              headers: {
                'content-type': 'application/json',
                ...(key === undefined ? {} : { 'idempotency-key': key }),
              },
            }),
      });
      const bytes = Buffer.from(await reply.body.arrayBuffer());
      const headers = Object.fromEntries(
        Object.entries(reply.headers).map(([name, value]) => [name, String(value)]),
      );
      return {
        is: 'reply',
        status: reply.statusCode,
        type: headers['content-type'] ?? '',
        headers,
        body: bytes,
      };
    } catch (error) {
      return ended === undefined ? { is: 'broken', why: describe(error) } : { is: ended };
    } finally {
      for (const timer of timers) clearTimeout(timer);
    }
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  return code === undefined ? error.message : `${code} ${error.message}`;
}
