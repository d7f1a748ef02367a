import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Response } from 'express';
import { defer, filter, fromEvent, map, type Observable, of, take } from 'rxjs';

/** Emits once, if the caller hangs up before the whole answer is sent. */
export const HangUp = createParamDecorator((_: unknown, context: ExecutionContext): Observable<void> => {
  const response = context.switchToHttp().getResponse<Response>();
  return defer(() =>
    // Gone already, before anybody could listen.
    response.destroyed || response.socket?.destroyed
      ? of(undefined)
      : fromEvent(response, 'close').pipe(
          filter(() => !response.writableFinished),
          map(() => undefined),
          take(1),
        ),
  );
});
