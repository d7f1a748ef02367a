import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common';
import type { Request, Response } from 'express';
import { isContractPath, toEnvelope } from './contract-envelope.js';
import type { ProblemDto } from './problem.dto.js';
import { ProblemException } from './problem.exception.js';
import { PROBLEMS } from './problem.table.js';
import { toProblem } from './to-problem.js';

/** Answers every error as `application/problem+json`, and under Comfy API v2 in its envelope; what nobody expected is logged and told as `internal_error`. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('Problem');

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<Request>();
    const response = host.switchToHttp().getResponse<Response>();
    const contract = isContractPath(request.path);
    const problem =
      toProblem(error, contract ? 'workflow' : 'workflow_data') ?? this.unexpected(error, request);
    if (response.headersSent) {
      // Too late for words. A clean end would pass off a part for the whole.
      response.destroy();
      return;
    }
    sendProblem(problem, request, response);
  }

  private unexpected(error: unknown, request: Request): ProblemException {
    const { method, path } = request;
    this.logger.error(
      `${method} ${path}: ${error instanceof Error ? (error.stack ?? error.message) : 'unknown error'}`,
    );
    return new ProblemException('internal_error', 'This was not expected; the log of the server says more.');
  }
}

/** Answers with a problem, in the words of the face that was asked. Nothing may have been sent. */
export function sendProblem(
  problem: ProblemException,
  request: Pick<IncomingMessage, 'url'> & { originalUrl?: string },
  response: ServerResponse,
): void {
  const { retry_after: retryAfter } = problem.extras;
  for (const name of ['etag', 'last-modified', 'content-disposition', 'accept-ranges']) {
    response.removeHeader(name);
  }
  response.setHeader('Cache-Control', 'no-store');
  if (retryAfter !== undefined) response.setHeader('Retry-After', String(retryAfter));
  const contract = isContractPath((request.originalUrl ?? request.url ?? '').replace(/[?#].*$/, ''));
  const { status, body } = contract
    ? toEnvelope(problem, problem.getStatus())
    : { status: problem.getStatus(), body: toBody(problem) };
  const text = Buffer.from(JSON.stringify(body));
  response.statusCode = status;
  response.setHeader('Content-Type', `application/${contract ? 'json' : 'problem+json'}; charset=utf-8`);
  response.setHeader('Content-Length', text.length);
  response.end(text);
}

function toBody(problem: ProblemException): ProblemDto {
  const { code, detail, extras } = problem;
  return {
    type: `urn:comfy-sync-server:problem:${code}`,
    title: PROBLEMS[code].title,
    status: problem.getStatus(),
    detail,
    code,
    ...(extras as Partial<ProblemDto>),
  };
}
