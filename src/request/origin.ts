import type { Request } from 'express';

/** Where the caller reached this server: what the operator says, else what the request says. Without a trailing slash. */
export function originOf(request: Request, baseUrl: string | undefined): string {
  return baseUrl ?? `${request.protocol}://${request.get('host') ?? 'localhost'}`;
}
