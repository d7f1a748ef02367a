import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type AccessKey, authorize, schemeOf, type Scheme } from './authorize.js';
import { type Fault, Faults } from './faults.js';
import { escapeXml, OssFault } from './oss-fault.js';
import { type OssRequest, parseRequest } from './oss-request.js';
import { type StoredObject, toObject } from './stored-object.js';

export interface OssServerOptions {
  /** @default a free one */
  port?: number;
  /** @default one made-up key, see `OssServer.key` */
  keys?: AccessKey[];
  /** @default ['gw-images'] */
  buckets?: string[];
  /** @default 'cn-hangzhou' */
  region?: string;
  /** Hosts that buckets are put before. @default those of the region, public and internal */
  baseHosts?: string[];
  /** Domain → bucket. */
  cnames?: Record<string, string>;
  /** Clock, in milliseconds since 1970. @default Date.now */
  now?: () => number;
  /** May anybody read without a signature? @default false */
  publicRead?: boolean;
}

/** One request that came in. */
export interface Seen {
  method: string;
  host: string;
  bucket: string;
  key: string;
  query: Record<string, string>;
  headers: Record<string, string>;
  scheme: Scheme;
  /** Of the body, as far as it came. */
  bytes: number;
  /** When, in ms of `performance.now()`. */
  at: number;
  /** 0 where there was no answer. */
  status: number;
  /** Error code of the answer. */
  code?: string;
  /** The connection went away before the body was complete. */
  aborted: boolean;
}

/** Aliyun OSS for tests: one process, objects in memory, every signature checked. */
export class OssServer {
  readonly objects = new Map<string, StoredObject>();
  readonly seen: Seen[] = [];
  readonly faults = new Faults();
  /** Refuse V1 signatures, as for buckets made since 2025. */
  v1Disabled = false;

  private constructor(
    private readonly options: Required<Omit<OssServerOptions, 'port'>>,
    private readonly server = createServer(),
  ) {
    this.server.on('request', (request, response) => {
      this.handle(request, response).catch(() => response.destroy());
    });
  }

  static async start(options: OssServerOptions = {}): Promise<OssServer> {
    const region = options.region ?? 'cn-hangzhou';
    const server = new OssServer({
      keys: [{ id: 'LTAI5tTestAccessKeyId001', secret: 'TestSecret/With+Odd=Chars0123' }],
      buckets: ['gw-images'],
      region,
      baseHosts: [`oss-${region}.aliyuncs.com`, `oss-${region}-internal.aliyuncs.com`],
      cnames: {},
      now: Date.now,
      publicRead: false,
      ...options,
    });
    server.server.listen(options.port ?? 0, '127.0.0.1');
    await once(server.server, 'listening');
    return server;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** For `OSS_ENDPOINT`: the bucket goes into the path. */
  get endpoint(): string {
    return `http://localhost:${this.port}`;
  }

  /** Connections that are open now. */
  connections(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });
  }

  /** The first access key. */
  get key(): AccessKey {
    const [key] = this.options.keys;
    if (key === undefined) throw new Error('The server has no access key.');
    return key;
  }

  get bucket(): string {
    return this.options.buckets[0] ?? '';
  }

  get region(): string {
    return this.options.region;
  }

  private async handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const requestId = randomBytes(12).toString('hex').toUpperCase();
    response.setHeader('Server', 'AliyunOSS');
    response.setHeader('x-oss-request-id', requestId);
    let seen: Seen | undefined;
    try {
      const request = this.parse(incoming);
      seen = this.note(request);
      incoming.on('data', (chunk: Buffer) => seen !== undefined && (seen.bytes += chunk.length));
      const entry = seen;
      incoming.on('close', () => (entry.aborted = !incoming.complete));
      response.on('finish', () => (entry.status = response.statusCode));
      const fault = this.faults.take(request.method);
      // Decided without a pause: the journal listens, so bytes that nobody takes now are gone.
      if (fault !== undefined && isImmediate(fault)) {
        await misbehave(fault, incoming, response);
        return;
      }
      this.admit(request);
      await this.answer(request, incoming, response, fault);
    } catch (error) {
      if (!(error instanceof OssFault)) throw error;
      if (seen !== undefined) seen.code = error.code;
      incoming.resume();
      sendFault(error, incoming, response, requestId);
    }
  }

  private parse(incoming: IncomingMessage): OssRequest {
    return parseRequest(incoming.method ?? '', incoming.url ?? '', incoming.headers, {
      baseHosts: this.options.baseHosts,
      cnames: new Map(Object.entries(this.options.cnames)),
      pathStyleHosts: ['localhost', '127.0.0.1'],
    });
  }

  private note(request: OssRequest): Seen {
    const { method, host, bucket, key } = request;
    const query = Object.fromEntries([...request.query].map(([name, value]) => [name, value ?? '']));
    const entry: Seen = {
      method,
      host,
      bucket,
      key,
      query,
      headers: Object.fromEntries(request.headers),
      scheme: schemeOf(request),
      bytes: 0,
      at: performance.now(),
      status: 0,
      aborted: false,
    };
    this.seen.push(entry);
    return entry;
  }

  private admit(request: OssRequest): void {
    const reads = request.method === 'GET' || request.method === 'HEAD';
    if (!(this.options.publicRead && reads && schemeOf(request) === 'anonymous')) {
      authorize(request, { ...this.options, v1Disabled: this.v1Disabled });
    }
    if (!this.options.buckets.includes(request.bucket)) {
      throw new OssFault(404, 'NoSuchBucket', 'The specified bucket does not exist.', undefined, {
        BucketName: request.bucket,
      });
    }
  }

  private async answer(
    request: OssRequest,
    incoming: IncomingMessage,
    response: ServerResponse,
    fault?: Fault,
  ): Promise<void> {
    switch (request.method) {
      case 'PUT':
        return this.put(request, incoming, response, fault);
      case 'GET':
      case 'HEAD':
        return request.key === '' ? this.list(request, response) : this.get(request, response, fault);
      case 'DELETE':
        this.objects.delete(request.key);
        response.writeHead(204).end();
        return undefined;
      case 'POST':
        return this.deleteMany(incoming, response);
      default:
        throw new OssFault(
          405,
          'MethodNotAllowed',
          'The specified method is not allowed against this resource.',
        );
    }
  }

  private async put(
    request: OssRequest,
    incoming: IncomingMessage,
    response: ServerResponse,
    fault?: Fault,
  ): Promise<void> {
    if (!request.headers.has('content-length') && request.headers.get('transfer-encoding') !== 'chunked') {
      throw new OssFault(411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.');
    }
    const bytes = await readAll(incoming);
    if (bytes === undefined) return;
    const object = toObject(request, bytes, this.options.now());
    if (request.headers.get('x-oss-forbid-overwrite') === 'true' && this.objects.has(request.key)) {
      throw new OssFault(
        409,
        'FileAlreadyExists',
        'The object you specified already exists and can not be overwritten.',
      );
    }
    this.objects.set(request.key, object);
    if (fault?.kind === 'lose-answer') {
      incoming.socket.resetAndDestroy();
      return;
    }
    const etag = fault?.kind === 'wrong-etag' ? `"${'0'.repeat(32)}"` : object.etag;
    response
      .writeHead(200, { ETag: etag, 'Content-MD5': object.md5.toString('base64'), 'Content-Length': 0 })
      .end();
  }

  private get(request: OssRequest, response: ServerResponse, fault?: Fault): void {
    const object = this.objects.get(request.key);
    if (object === undefined) {
      throw new OssFault(404, 'NoSuchKey', 'The specified key does not exist.', undefined, {
        Key: request.key,
      });
    }
    const overrides = [...request.query].flatMap(([name, value]) =>
      name.startsWith('response-') && value !== undefined ? [[name.slice('response-'.length), value]] : [],
    );
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get('range') ?? '') ?? [];
    const start = Number(first ?? 0);
    const end = last ? Math.min(Number(last), object.bytes.length - 1) : object.bytes.length - 1;
    const partial = first !== undefined && start <= end;
    const part = partial ? object.bytes.subarray(start, end + 1) : object.bytes;
    response.writeHead(partial ? 206 : 200, {
      ...object.headers,
      ...Object.fromEntries(overrides),
      ETag: object.etag,
      'Content-MD5': object.md5.toString('base64'),
      'Last-Modified': object.lastModified.toUTCString(),
      'Accept-Ranges': 'bytes',
      'Content-Length': part.length,
      ...(partial ? { 'Content-Range': `bytes ${start}-${end}/${object.bytes.length}` } : {}),
    });
    if (request.method === 'HEAD') {
      response.end();
    } else if (fault?.kind === 'truncate') {
      response.write(part.subarray(0, fault.afterBytes), () => response.destroy());
    } else {
      response.end(part);
    }
  }

  private list({ bucket, query }: OssRequest, response: ServerResponse): void {
    const prefix = query.get('prefix') ?? '';
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix));
    const contents = keys.map((key) => `<Contents><Key>${escapeXml(key)}</Key></Contents>`).join('');
    const body = `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>${bucket}</Name>${contents}</ListBucketResult>`;
    response.writeHead(200, { 'Content-Type': 'application/xml' }).end(body);
  }

  private async deleteMany(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = (await readAll(incoming))?.toString() ?? '';
    for (const [, key = ''] of body.matchAll(/<Key>([^<]*)<\/Key>/g)) this.objects.delete(key);
    response.writeHead(200, { 'Content-Type': 'application/xml' }).end('<DeleteResult></DeleteResult>');
  }
}

type ImmediateFault = Exclude<Fault, { kind: 'lose-answer' | 'truncate' | 'wrong-etag' }>;

/** Does it happen instead of an answer, not in it? */
function isImmediate(fault: Fault): fault is ImmediateFault {
  return !['lose-answer', 'truncate', 'wrong-etag'].includes(fault.kind);
}

async function misbehave(
  fault: ImmediateFault,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  switch (fault.kind) {
    case 'error':
      await readAll(incoming);
      throw new OssFault(fault.status, fault.code, fault.message ?? 'On demand of the test.');
    case 'raw':
      await readAll(incoming);
      response.removeHeader('x-oss-request-id');
      response.writeHead(fault.status, { Server: 'nginx', 'Content-Type': 'text/html', ...fault.headers });
      response.end(fault.body ?? '');
      break;
    case 'reset':
      await received(incoming, fault.afterBytes);
      incoming.socket.resetAndDestroy();
      break;
    case 'hang':
      incoming.resume();
      break;
  }
}

function sendFault(
  fault: OssFault,
  { method, headers }: IncomingMessage,
  response: ServerResponse,
  requestId: string,
): void {
  const xml = fault.toXml(requestId, headers.host ?? '');
  if (fault.ec !== undefined) response.setHeader('x-oss-ec', fault.ec);
  response.setHeader('Content-Type', 'application/xml');
  if (method === 'HEAD') response.setHeader('x-oss-err', Buffer.from(xml).toString('base64'));
  response.writeHead(fault.status).end(method === 'HEAD' ? undefined : xml);
}

/** The whole body; undefined where it ended too early, and nothing may be stored. */
async function readAll(incoming: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
  } catch {
    return undefined;
  }
  return incoming.complete ? Buffer.concat(chunks) : undefined;
}

/** Waits until so much of the body has come, or all of it. */
async function received(incoming: IncomingMessage, bytes: number): Promise<void> {
  let count = 0;
  await new Promise<void>((resolve) => {
    incoming.on('data', (chunk: Buffer) => {
      count += chunk.length;
      if (count >= bytes) resolve();
    });
    incoming.on('close', resolve);
  });
}
