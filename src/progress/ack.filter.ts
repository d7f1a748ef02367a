import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common';
import type { JobStatus } from '../comfy/index.js';
import { ProblemException } from '../problem/index.js';

/** What a client hears of its request. */
export type Reply = { ok: true; job_id: string; status?: JobStatus } | { ok: false; error: ReplyError };

export interface ReplyError {
  code: string;
  message: string;
}

/** Answers a request that failed through its acknowledgement; a client that wants none hears nothing. */
@Catch()
export class AckFilter implements ExceptionFilter {
  private readonly logger = new Logger('Progress');

  catch(error: unknown, host: ArgumentsHost): void {
    const ack = host.getArgs<unknown[]>().find((arg) => typeof arg === 'function');
    const reply: Reply = { ok: false, error: this.toError(error) };
    (ack as ((reply: Reply) => void) | undefined)?.(reply);
  }

  private toError(error: unknown): ReplyError {
    if (error instanceof ProblemException) return { code: error.code, message: error.detail };
    this.logger.error(error instanceof Error ? error.stack : 'unknown error');
    const message = 'This was not expected; the log of the server says more.';
    return { code: 'internal_error', message };
  }
}
