import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { ApiHeaderOptions } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { fieldProblem } from '../problem/index.js';
import { callerId } from '../request/index.js';
import type { Submission } from './idempotency.js';

const MAX_LENGTH = 255;
const KEY = new RegExp(`^[\\x21-\\x7e]{1,${MAX_LENGTH}}$`);

export const IDEMPOTENCY_HEADER: ApiHeaderOptions = {
  name: 'Idempotency-Key',
  required: false,
  description:
    'Any text of your own, fresh for each picture you want, such as a UUID. A request that is sent again with the same key within 24 hours gets the job of the first; where that still runs, it waits for it',
  schema: { type: 'string', minLength: 1, maxLength: MAX_LENGTH },
};

/** A caller's key, and whose it is. */
export interface IdempotencyKeyOf {
  key: string | undefined;
  /** The `Caller-Id`; not the address: a retry may come from another one. */
  scope: string;
}

/** The `Idempotency-Key` header. @throws ProblemException `invalid_request` */
export const IdempotencyKey = createParamDecorator(
  (_: unknown, context: ExecutionContext): IdempotencyKeyOf => {
    const request = context.switchToHttp().getRequest<Request>();
    const key = request.header('Idempotency-Key');
    if (key !== undefined && !KEY.test(key)) {
      throw fieldProblem({
        field: 'Idempotency-Key',
        message: `must be 1 to ${MAX_LENGTH} visible ASCII characters`,
      });
    }
    return { key, scope: callerId(request) ?? '' };
  },
);

/** Tells the caller that this is the answer to an earlier request. */
export function tellReplay({ replayed }: Submission, response: Response): void {
  if (replayed) response.setHeader('Idempotency-Replayed', 'true');
}
