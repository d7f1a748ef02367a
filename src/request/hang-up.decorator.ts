import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request, Response } from 'express';
import { defer, filter, fromEvent, map, merge, type Observable, of, take } from 'rxjs';

/** Emits once, if the caller hangs up before the whole answer is sent. */
export const HangUp = createParamDecorator((_: unknown, context: ExecutionContext): Observable<void> => {
  const { socket } = context.switchToHttp().getRequest<Request>();
  const response = context.switchToHttp().getResponse<Response>();
  return defer(() =>
    // Gone already, before anybody could listen.
    response.destroyed || socket.destroyed
      ? of(undefined)
      : // A pipelined request's response has no socket yet, and so does not hear of its end.
        merge(fromEvent(response, 'close'), fromEvent(socket, 'close')).pipe(
          filter(() => !response.writableFinished),
          map(() => undefined),
          take(1),
        ),
  );
});
