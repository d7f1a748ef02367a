import { lookup as systemLookup } from 'node:dns';
import { Readable } from 'node:stream';
import { Agent, type Dispatcher, errors } from 'undici';
import { AddressPolicy } from './address-policy.js';
import { checkedUrl } from './checked-url.js';
import { Deadline, tooSlow } from './deadline.js';
import { LOOP_HEADER, LOOP_MARK } from './loop.js';
import { OutboundError } from './outbound.error.js';
import {
  type Answered,
  type Fetched,
  type GetOptions,
  Outbound,
  type OutboundRules,
  type PostOptions,
} from './outbound.js';
import { type Lookup, OwnServers } from './own-servers.js';
import { safeConnector } from './safe-connector.js';

/** Connections to one origin at a time. */
const CONNECTIONS = 16;

/** Milliseconds that a connection is kept for the next call. */
const KEEP_ALIVE_MS = 4_000;

/** Bytes of headers. */
const MAX_HEADERS = 16 * 1024;

/** Times that an answer may lead elsewhere. */
const MAX_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Bytes of an answer to a POST, which nobody looks at: one that is longer does not come to its end. */
const MAX_ANSWER = 1024 * 1024;

const USER_AGENT = 'comfy-sync-server';

/** Calls over HTTP/1.1. */
export class UndiciOutbound extends Outbound {
  private readonly policy: AddressPolicy;
  private readonly agent: Agent;

  constructor(rules: OutboundRules, lookup: Lookup = systemLookup) {
    super();
    const own = new OwnServers(rules.ownServers ?? (() => []), lookup);
    this.policy = new AddressPolicy(rules, own);
    this.agent = new Agent({
      connect: safeConnector(this.policy, own, lookup),
      connections: CONNECTIONS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADERS,
    });
  }

  check(url: string): URL {
    return checkedUrl(url, this.policy);
  }

  async get(url: string, { maxBytes, timeoutMs, signal }: GetOptions): Promise<Fetched> {
    const deadline = new Deadline(timeoutMs, signal);
    try {
      const answer = await this.follow(url, deadline);
      const size = announced(answer);
      if (size !== undefined && size > maxBytes) {
        letGo(answer);
        throw tooLarge(maxBytes);
      }
      return { headers: flat(answer.headers), size, body: counted(answer, size, maxBytes, deadline) };
    } catch (error) {
      deadline.end();
      throw asOutboundError(error, deadline);
    }
  }

  async post(url: string, { headers, body, timeoutMs, signal }: PostOptions): Promise<Answered> {
    const deadline = new Deadline(timeoutMs, signal);
    try {
      const answer = await this.call('POST', this.check(url), deadline, headers, body);
      let read = 0;
      for await (const chunk of answer.body as AsyncIterable<Buffer>) {
        read += chunk.length;
        if (read > MAX_ANSWER) {
          throw new OutboundError('too_large', 'The answer is too long.', answer.statusCode);
        }
      }
      return { status: answer.statusCode, headers: flat(answer.headers) };
    } catch (error) {
      throw asOutboundError(error, deadline);
    } finally {
      deadline.end();
    }
  }

  /** Ends every connection; what is under way fails. */
  async close(): Promise<void> {
    await this.agent.destroy();
  }

  /** Every address on the way is looked at anew. A way from https to http is open, as browsers and curl have it for files. */
  private async follow(text: string, deadline: Deadline): Promise<Dispatcher.ResponseData> {
    let url = this.check(text);
    for (let redirects = 0; ; redirects += 1) {
      const answer = await this.call('GET', url, deadline, { 'accept-encoding': 'identity' });
      const { location } = answer.headers;
      if (answer.statusCode === 200) return answer;
      letGo(answer);
      if (!REDIRECTS.has(answer.statusCode) || typeof location !== 'string') {
        const { statusCode } = answer;
        throw new OutboundError('status', `The URL was answered with ${statusCode}.`, statusCode);
      }
      if (redirects === MAX_REDIRECTS) {
        throw new OutboundError('redirects', `The URL leads elsewhere more than ${MAX_REDIRECTS} times.`);
      }
      url = this.check(URL.canParse(location, url.href) ? new URL(location, url).href : location);
    }
  }

  private call(
    method: 'GET' | 'POST',
    url: URL,
    { signal }: Deadline,
    headers: Record<string, string>,
    body?: string,
  ): Promise<Dispatcher.ResponseData> {
    signal.throwIfAborted();
    return this.agent.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method,
      headers: { ...headers, 'user-agent': USER_AGENT, [LOOP_HEADER]: LOOP_MARK },
      signal,
      // The deadline is for all of it.
      headersTimeout: 0,
      bodyTimeout: 0,
      ...(body === undefined ? {} : { body }),
    });
  }
}

/** The body, which ends in an error where it is not what was announced, or more than wanted. */
function counted(
  { body }: Dispatcher.ResponseData,
  size: number | undefined,
  maxBytes: number,
  deadline: Deadline,
): Readable {
  async function* read(): AsyncGenerator<Buffer> {
    let count = 0;
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        count += chunk.length;
        if (count > maxBytes) throw tooLarge(maxBytes);
        yield chunk;
      }
      if (size !== undefined && count !== size) throw brokenOff();
    } catch (error) {
      throw asOutboundError(error, deadline);
    }
  }
  // Also where it is destroyed before anybody has read of it.
  return Readable.from(read(), { objectMode: false }).once('close', () => {
    deadline.end();
    body.once('error', () => undefined).destroy();
  });
}

function letGo({ body }: Dispatcher.ResponseData): void {
  body.once('error', () => undefined).destroy();
}

function announced({ headers }: Dispatcher.ResponseData): number | undefined {
  const length = headers['content-length'];
  return typeof length === 'string' && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}

function flat(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name.toLowerCase(), Array.isArray(value) ? value.join(', ') : value]],
    ),
  );
}

function tooLarge(maxBytes: number): OutboundError {
  const mebibytes = Math.floor(maxBytes / 1024 / 1024);
  const limit = mebibytes > 0 ? `${mebibytes} MiB` : `${maxBytes} bytes`;
  return new OutboundError('too_large', `The file behind the URL is larger than ${limit}.`);
}

function brokenOff(cause?: unknown): OutboundError {
  return new OutboundError(
    'unreachable',
    'The host of the URL cannot be reached, or broke the connection off.',
    undefined,
    cause,
  );
}

/** @returns an OutboundError, or what the caller's signal says */
function asOutboundError(error: unknown, { signal }: Deadline): unknown {
  if (error instanceof OutboundError) return error;
  if (signal.aborted) return signal.reason;
  return error instanceof errors.ConnectTimeoutError ? tooSlow(error) : brokenOff(error);
}
