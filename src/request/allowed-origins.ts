import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import { isMadeForCaller, LOOP_HEADER } from '../outbound/index.js';
import { ProblemException } from '../problem/index.js';

/** Methods that change nothing (RFC 9110, 9.2.1). */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** What only operators call. */
const ADMIN = /^\/api\/(backends|webhooks)(\/|$)/i;

export interface OriginRules {
  /** Origins of web pages that may connect; absent: only pages of this server. */
  origins: '*' | readonly string[] | undefined;
  /** Under which URL this server is known, where its operator said so. */
  baseUrl: string | undefined;
}

/**
 * May the page that sent this request do so? Browsers let any page open a WebSocket, and send what a form could send (RFC 6454,
 * 8.3; the Fetch standard's "simple" requests): those only the server can refuse. Programs that are no web pages send no origin.
 */
export function isAllowedOrigin(
  { headers }: Pick<IncomingMessage, 'headers'>,
  { origins, baseUrl }: OriginRules,
) {
  const { origin } = headers;
  // Of what changes something browsers tell the origin; a page that had it left out is foreign still.
  if (origin === undefined && headers['sec-fetch-site'] === 'cross-site' && origins !== '*') return false;
  if (origin === undefined || origins === '*' || origins?.includes(origin) === true) return true;
  if (!URL.canParse(origin)) return false;
  const { host } = new URL(origin);
  if (baseUrl !== undefined && host === new URL(baseUrl).host) return true;
  // A name that somebody made lead here (DNS rebinding) is in both headers; a name of ours is known where we were told it.
  const own = baseUrl === undefined || isIP(hostnameOf(host)) !== 0 || hostnameOf(host) === 'localhost';
  return own && [headers.host, headers['x-forwarded-host']].includes(host);
}

function hostnameOf(host: string): string {
  return host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}

/**
 * Refuses requests that change something where they come from pages of other origins, or from a server like this one on behalf of its
 * callers; the latter ask operators' questions in vain, too.
 */
export function useOriginCheck(app: NestExpressApplication, rules: OriginRules): void {
  app.use((request: Request, _response: Response, next: NextFunction) => {
    const { method, path, headers } = request;
    if (isMadeForCaller(headers[LOOP_HEADER]) && (!SAFE.has(method) || ADMIN.test(path))) {
      throw new ProblemException(
        'origin_not_allowed',
        'Calls that a Comfy Sync Server makes for its callers, webhooks among them, may not be addressed to one.',
      );
    }
    if (!SAFE.has(method) && !isAllowedOrigin(request, rules)) {
      throw new ProblemException(
        'origin_not_allowed',
        'Pages of this origin may not call this server. Its operator can allow them (CORS_ORIGINS).',
      );
    }
    next();
  });
}
