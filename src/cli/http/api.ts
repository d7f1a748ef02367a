import { Readable } from 'node:stream';
import { Agent, type Dispatcher, EnvHttpProxyAgent, request } from 'undici';
import { CliError, type Problem, usageError } from '../cli.error.js';
import { EXIT } from '../exit-codes.js';
import { isLasting, networkCode, unreachable, wordsFor } from './network-error.js';
import { isEndOfJob, readProblem, refusal } from './problem.js';
import { backoffMs, pause, retryAfterS } from './retry.js';

const CONNECT_TIMEOUT_MS = 10_000;

/** Milliseconds that an answer may take to begin, and may be silent. */
const ANSWER_TIMEOUT_MS = 60_000;

/** Bytes of a JSON answer; more is not from a server of ours. */
const MAX_JSON_BYTES = 64 * 1024 * 1024;

/** Characters of an answer that tells an error. */
const MAX_PROBLEM_BYTES = 1024 * 1024;

/** "It may work the next time" (RFC 9110). */
const PASSING = new Set([429, 502, 503, 504]);

export interface ApiOptions {
  /** Base URL, without a slash at the end. */
  server: string;
  headers: Readonly<Record<string, string>>;
  /** How often a request is sent again that met trouble on the way. */
  retries: number;
  /** Proxies of the environment are used as curl uses them. */
  env: NodeJS.ProcessEnv;
  /** Is told of each trouble that is tried again. */
  notice: (text: string) => void;
}

export interface ApiRequest {
  method?: 'GET' | 'POST';
  path: string;
  query?: Readonly<Record<string, string | number | undefined>>;
  headers?: Readonly<Record<string, string>>;
  /** Made anew for each try. */
  body?: () => string | AsyncIterable<Uint8Array>;
  signal: AbortSignal;
  /** Ends the waits between two tries, where `signal` gives a request some more time. @default `signal` */
  patience?: AbortSignal;
  /** Milliseconds until the answer begins. */
  answerTimeoutMs?: number;
  /** Milliseconds of silence within the answer. */
  silenceMs?: number;
  /** @default those of the options */
  retries?: number;
}

export interface ApiReply {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Readable;
}

/** Talks to one server. Every request of ours can be sent twice without harm, so each is tried again after trouble on the way. */
export class Api {
  private readonly dispatcher: Dispatcher;

  constructor(private readonly options: ApiOptions) {
    this.dispatcher = createDispatcher(options.env);
  }

  get server(): string {
    return this.options.server;
  }

  get retries(): number {
    return this.options.retries;
  }

  notice(text: string): void {
    this.options.notice(text);
  }

  /** A URL of a reply, which is a path on this server where SERVER_BASE_URL is not set there. */
  absolute(url: string): string {
    return url.startsWith('/') ? `${this.server}${url}` : url;
  }

  /** Leaves no connection behind. */
  async close(): Promise<void> {
    await this.dispatcher.destroy();
  }

  /**
   * Sends a request until it is answered and the answer is read.
   * @param read takes the body; what it throws is tried again where the network is to blame
   * @throws CliError `unavailable` after the last try, `refused`; the reason of the signal; what `read` throws
   */
  async send<T>(asked: ApiRequest, read: (reply: ApiReply) => Promise<T>): Promise<T> {
    const retries = asked.retries ?? this.options.retries;
    for (let tries = 0; ; tries++) {
      const sent = await this.sendOnce(asked, read);
      if ('value' in sent) return sent.value;
      if (!sent.passing || tries >= retries) throw sent.error;
      const waitMs = sent.waitMs ?? backoffMs(tries);
      const seconds = Math.max(1, Math.round(waitMs / 1_000));
      this.options.notice(`${sent.what}; trying again in ${seconds} s (${tries + 1} of ${retries})`);
      await pause(waitMs, asked.patience ?? asked.signal);
    }
  }

  /** @throws CliError as `send`, also where the answer is not JSON */
  async json(asked: ApiRequest): Promise<{ status: number; value: unknown }> {
    const headers = { accept: 'application/json', ...asked.headers };
    return this.send({ ...asked, headers }, async ({ status, body }) => {
      const text = await readText(body, MAX_JSON_BYTES);
      try {
        return { status, value: JSON.parse(text) as unknown };
      } catch {
        throw refusal(readProblem(status, '', undefined));
      }
    });
  }

  private async sendOnce<T>(asked: ApiRequest, read: (reply: ApiReply) => Promise<T>): Promise<Sent<T>> {
    const { method = 'GET', path, query = {}, signal } = asked;
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    try {
      const response = await request(`${this.server}${path}`, {
        method,
        dispatcher: this.dispatcher,
        query: Object.fromEntries(given),
        headers: { ...this.options.headers, ...asked.headers },
        body: bodyOf(asked.body?.()),
        signal,
        headersTimeout: asked.answerTimeoutMs ?? ANSWER_TIMEOUT_MS,
        bodyTimeout: asked.silenceMs ?? ANSWER_TIMEOUT_MS,
      });
      const { statusCode: status, headers, body } = response;
      if (status < 300) return { value: await read({ status, headers, body }) };
      return this.sort(status, headers, await readText(body, MAX_PROBLEM_BYTES));
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof CliError) throw error;
      const code = networkCode(error);
      if (code === undefined) throw error;
      return {
        error: unreachable(this.server, code, error),
        what: `${this.server}: ${wordsFor(code)}`,
        passing: !isLasting(code),
      };
    }
  }

  private sort(status: number, headers: ApiReply['headers'], text: string): Sent<never> {
    if (status < 400) {
      const location = String(headers['location'] ?? 'somewhere else');
      throw usageError(
        `The server at ${this.server} sends callers to ${location}.`,
        'Name the address behind the redirect with --server.',
      );
    }
    const seconds = retryAfterS(headers['retry-after']?.toString());
    const problem = readProblem(status, text, seconds);
    return {
      error: refusal(problem),
      what: titleOf(problem),
      // How a job ended stays so; and whoever waits for one that goes on knows how.
      passing: PASSING.has(status) && !isEndOfJob(problem) && problem.job_url === undefined,
      ...(seconds === undefined ? {} : { waitMs: seconds * 1_000 }),
    };
  }
}

type Sent<T> = { value: T } | { error: CliError; what: string; passing: boolean; waitMs?: number };

function titleOf({ title, detail }: Problem): string {
  return (title ?? detail).replace(/\.$/, '');
}

function bodyOf(body: string | AsyncIterable<Uint8Array> | undefined): string | Readable | null {
  return body === undefined || typeof body === 'string' ? (body ?? null) : Readable.from(body);
}

/** Proxies where the environment names some, and never for this machine itself. */
function createDispatcher(env: NodeJS.ProcessEnv): Dispatcher {
  const connect = { timeout: CONNECT_TIMEOUT_MS };
  const named = (name: string) => env[name.toLowerCase()] || env[name.toUpperCase()] || undefined;
  const [httpProxy, httpsProxy] = [named('http_proxy'), named('https_proxy')];
  if (httpProxy === undefined && httpsProxy === undefined) return new Agent({ connect });
  const noProxy = [named('no_proxy'), 'localhost', '127.0.0.1', '::1'].filter(Boolean).join(',');
  return new EnvHttpProxyAgent({
    connect,
    noProxy,
    ...(httpProxy === undefined ? {} : { httpProxy }),
    ...(httpsProxy === undefined ? {} : { httpsProxy }),
  });
}

async function readText(body: Readable, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) {
      throw new CliError(EXIT.unexpected, { code: 'answer_too_large', detail: 'The answer has no end.' });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
