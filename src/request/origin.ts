import type { Request } from 'express';
import { ProblemException } from '../problem/index.js';

/**
 * Where the caller reached this server: what the operator says, else what the request says. Without a trailing slash.
 * @throws ProblemException `invalid_request` where the request says nothing sensible (RFC 9112, 3.2)
 */
export function originOf(request: Request, baseUrl: string | undefined): string {
  if (baseUrl !== undefined) return baseUrl;
  const origin = `${request.protocol}://${request.get('host') ?? ''}`;
  if (!URL.canParse(origin)) throw new ProblemException('invalid_request', 'The Host header names no host.');
  return origin;
}
