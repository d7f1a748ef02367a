import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { Request } from 'express';
import type { Observable } from 'rxjs';
import { hungUp, noBoundary, ProblemException } from '../problem/index.js';

/** Lets multer's interceptor read a form. @throws ProblemException `cancelled` where the caller hangs up on the way */
export async function readForm(
  form: NestInterceptor,
  context: ExecutionContext,
  next: CallHandler,
): Promise<Observable<unknown>> {
  try {
    return await form.intercept(context, next);
  } catch (error) {
    const request = context.switchToHttp().getRequest<Request>();
    // multer's words for it do not tell it from a mistake of ours.
    if (request.destroyed && !request.complete) {
      throw hungUp();
    }
    throw limitProblem(error) ?? error;
  }
}

/** Nest keeps nothing of what multer and busboy say but their words. */
function limitProblem(error: unknown): ProblemException | undefined {
  const message = error instanceof Error ? error.message : '';
  if (message.startsWith('Field value too long')) {
    return new ProblemException(
      'payload_too_large',
      `${message}. Send a long one as a file of the form, as curl does with workflow_data=@workflow.json.`,
    );
  }
  if (message === 'Malformed content type') {
    return noBoundary();
  }
  return message.startsWith('Too many')
    ? new ProblemException('invalid_request', `${message} in the form.`)
    : undefined;
}
