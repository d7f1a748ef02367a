import type { IncomingMessage } from 'node:http';

export interface OriginRules {
  /** Origins of web pages that may connect; absent: only pages of this server. */
  origins: '*' | readonly string[] | undefined;
  /** Under which URL this server is known, where its operator said so. */
  baseUrl: string | undefined;
}

/**
 * May the page that sent this request connect? Browsers enforce CORS for polling, but let any page open a WebSocket: that
 * one only the server can refuse. Programs that are no web pages send no origin.
 */
export function isAllowedOrigin(
  { headers }: Pick<IncomingMessage, 'headers'>,
  { origins, baseUrl }: OriginRules,
) {
  const { origin } = headers;
  if (origin === undefined || origins === '*' || origins?.includes(origin) === true) return true;
  if (!URL.canParse(origin)) return false;
  // A page cannot choose these two headers of a WebSocket.
  const own = [headers.host, headers['x-forwarded-host'], baseUrl && new URL(baseUrl).host];
  return own.includes(new URL(origin).host);
}
