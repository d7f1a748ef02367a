import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { ApiHeaderOptions } from '@nestjs/swagger';
import type { Request } from 'express';
import { networkOf } from '../connection/index.js';
import { callerKey, type CallerKey } from '../shares/index.js';

const MAX_LENGTH = 128;

export const CALLER_HEADER: ApiHeaderOptions = {
  name: 'Caller-Id',
  required: false,
  description:
    'Who asks, e.g. a tenant or a user: callers of one priority get their turns in turn, however many jobs each has. Without it the IP address counts',
  schema: { type: 'string', maxLength: MAX_LENGTH },
};

/** Who the request says it comes from; undefined where it says nothing. */
export function callerId(request: Request): string | undefined {
  return request.header('Caller-Id')?.slice(0, MAX_LENGTH);
}

/** Who asks, for shares and turns: the network that the request came from, and what the `Caller-Id` header says. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): CallerKey => {
  const request = context.switchToHttp().getRequest<Request>();
  return callerKey(networkOf(request.ip), callerId(request));
});
