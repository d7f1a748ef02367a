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
    const { retry_after: retryAfter } = problem.extras;
    for (const name of ['etag', 'last-modified', 'cache-control', 'content-disposition', 'accept-ranges']) {
      response.removeHeader(name);
    }
    if (retryAfter !== undefined) response.setHeader('Retry-After', String(retryAfter));
    if (contract) {
      const { status, body } = toEnvelope(problem, problem.getStatus());
      response.status(status).type('application/json').send(JSON.stringify(body));
      return;
    }
    const body = toBody(problem);
    response.status(body.status).type('application/problem+json').send(JSON.stringify(body));
  }

  private unexpected(error: unknown, request: Request): ProblemException {
    const { method, path } = request;
    this.logger.error(
      `${method} ${path}: ${error instanceof Error ? (error.stack ?? error.message) : 'unknown error'}`,
    );
    return new ProblemException('internal_error', 'This was not expected; the log of the server says more.');
  }
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
