import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Response } from 'express';

/** An AbortSignal that fires when the caller hangs up before the whole answer is sent. */
export const HangUp = createParamDecorator((_: unknown, context: ExecutionContext): AbortSignal => {
  const response = context.switchToHttp().getResponse<Response>();
  const controller = new AbortController();
  const hangUp = () => controller.abort(new Error('The caller hung up'));
  if (response.destroyed || response.socket?.destroyed) hangUp();
  else {
    response.once('close', () => {
      if (!response.writableFinished) hangUp();
    });
  }
  return controller.signal;
});
