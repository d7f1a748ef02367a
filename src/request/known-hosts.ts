import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import { ProblemException } from '../problem/index.js';

/** Probes of orchestrators and load balancers name the address or the service they call. */
const HEALTH = /^\/health(\/|$)/;

/** The setting of Express under which `originOf` finds them. */
const SETTING = 'known hosts';

type Headers = Pick<IncomingMessage, 'headers' | 'rawHeaders'>;

/**
 * Under which names this server is known. A web page whose own name leads here (DNS rebinding) is, to its browser, a page of this
 * server: only the `Host` header tells. IP addresses and `localhost` are no such names.
 */
export class KnownHosts {
  private readonly names: ReadonlySet<string>;
  private readonly domains: readonly string[];

  /** @param allowed names in lower case, `*.` before a domain; undefined: none are set */
  constructor(baseUrl: string | undefined, allowed: readonly string[] = []) {
    const own = baseUrl === undefined ? [] : [new URL(baseUrl).hostname];
    this.names = new Set([...own, ...allowed.filter((name) => !name.startsWith('*.'))]);
    this.domains = allowed.filter((name) => name.startsWith('*.')).map((name) => name.slice(1));
  }

  /** Is this a name from the settings, or one that leads to no other machine? */
  isOwn(host: string | undefined): boolean {
    const name = hostnameOf(host);
    return name !== undefined && (isLoopback(name) || this.isSet(name));
  }

  /** May a request to this host be answered? Every one may where no names are set. */
  admits(host: string | undefined): boolean {
    if (this.names.size + this.domains.length === 0) return true;
    const name = hostnameOf(host);
    return name !== undefined && (isIP(name) !== 0 || isLoopback(name) || this.isSet(name));
  }

  private isSet(name: string): boolean {
    return this.names.has(name) || this.domains.some((domain) => name.endsWith(domain));
  }
}

/** @returns what is wrong with the `Host` header of a request; undefined: nothing */
export function hostProblem(
  { headers, rawHeaders }: Headers,
  known: KnownHosts,
): ProblemException | undefined {
  const count = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host').length;
  // RFC 9112, 3.2
  if (count > 1) return new ProblemException('invalid_request', 'The request has more than one Host header.');
  if (headers.host !== undefined && headers.host !== '' && hostnameOf(headers.host) === undefined) {
    return new ProblemException('invalid_request', 'The Host header names no host.');
  }
  if (known.admits(headers.host)) return undefined;
  return new ProblemException(
    'host_not_allowed',
    'This server is not known under the name in the Host header. Its operator can add it (SERVER_BASE_URL, ALLOWED_HOSTS).',
  );
}

/** Refuses requests to names that are not ours, before anything else looks at them. */
export function useKnownHosts(app: NestExpressApplication, known: KnownHosts): void {
  app.set(SETTING, known);
  app.use((request: Request, _response: Response, next: NextFunction) => {
    const problem = hostProblem(request, known);
    const isProbe = problem?.code === 'host_not_allowed' && HEALTH.test(request.path);
    if (problem !== undefined && !isProbe) throw problem;
    next();
  });
}

/**
 * Where links for a caller lead who needs absolute ones: the base URL of the settings; without one, a name of ours that the request
 * names, else the address at which it arrived. Another name in `Host` is never repeated. No trailing slash.
 */
export function originOf(request: Request, baseUrl: string | undefined): string {
  if (baseUrl !== undefined) return baseUrl;
  const known = request.app.get(SETTING) as KnownHosts | undefined;
  const { host } = request.headers;
  if (host !== undefined && known?.isOwn(host)) return `${request.protocol}://${host}`;
  const { localAddress = '127.0.0.1', localPort } = request.socket;
  const address = localAddress.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  return `${request.protocol}://${isIP(address) === 6 ? `[${address}]` : address}:${localPort}`;
}

/** Lower case, without port and brackets; undefined where that is no host. */
function hostnameOf(host: string | undefined): string | undefined {
  if (host === undefined || !/^[A-Za-z0-9._:[\]-]+$/.test(host) || !URL.canParse(`http://${host}`))
    return undefined;
  return new URL(`http://${host}`).hostname
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase();
}

function isLoopback(name: string): boolean {
  return (
    name === 'localhost' || name.endsWith('.localhost') || /^127\.\d+\.\d+\.\d+$/.test(name) || name === '::1'
  );
}
