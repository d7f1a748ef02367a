import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { type OssEndpoint, parseOssEndpoint } from '../../config/index.js';
import type { BucketFiles } from '../bucket.port.js';
import { CachedCheck } from '../cached-check.js';
import type { FileLinks } from '../links/file-links.js';
import type { LocalStorage } from '../local/local.storage.js';
import type { OssOptions, OssUrlMode } from '../storage.options.js';
import {
  type ByteRange,
  type FileLink,
  type FileStat,
  type FileToStore,
  type OpenFile,
  Storage,
  type StorageHealth,
  type StoredFile,
} from '../storage.port.js';
import { createAgents, destroyAgents } from './oss-agents.js';
import { createClient, type OssAgents, type OssClient } from './oss-client.js';
import { fromOssError } from './oss-error.js';
import { OssReader } from './oss-reader.js';
import { OssSigner, V4_MAX_TTL_S } from './oss-signer.js';
import { OssUploader } from './oss-uploader.js';
import { RETRY_POLICY, type RetryPolicy } from './retry.js';
import { V1Probe, V1_PROBE_PAUSES_MS } from './v1-probe.js';

export interface OssParts {
  /** Keeps the local copies. */
  local: LocalStorage;
  /** Signs links of ours. */
  links: FileLinks;
  /** How long links live. */
  linkTtlSeconds: number;
  /** @default RETRY_POLICY */
  retry?: RetryPolicy;
  /** For how long uploads are tried again beyond the policy's count, in ms. @default 0 */
  retryForMs?: number;
  /** Connections to use instead of own ones, e.g. with another name resolution. Closed on shutdown. */
  agents?: OssAgents;
}

/** Connections besides those of uploads: for probes, downloads and health checks. */
const SPARE_SOCKETS = 8;

/** A bucket of Aliyun OSS behind the local copies: a file is on disk first, and sent from there. */
export class OssStorage extends Storage implements BucketFiles {
  readonly kind = 'oss';
  readonly linksArePlain: boolean;
  readonly delivery: BucketFiles['delivery'];
  private readonly logger = new Logger(OssStorage.name);
  private readonly mode: OssUrlMode;
  private readonly client: OssClient;
  private readonly signer: OssSigner;
  private readonly uploader: OssUploader;
  private readonly reader: OssReader;
  private readonly probe: V1Probe | undefined;
  private readonly agents: OssAgents;
  private readonly health = new CachedCheck(() => this.ask());
  /** Base of unsigned URLs, with the trailing slash. */
  private readonly publicBase: string;
  /** Folder in the bucket: empty, or with a slash at its end and none in front. */
  private readonly basePath: string;

  private constructor(
    private readonly options: OssOptions,
    private readonly parts: OssParts,
    endpoint: OssEndpoint,
    facing: OssEndpoint,
  ) {
    super();
    const { maxSockets = 16, timeoutMs = 60_000, signatureVersion = 'v4' } = options;
    const { retry = RETRY_POLICY, retryForMs = 0, linkTtlSeconds } = parts;
    this.mode = options.urlMode ?? 'auto';
    this.linksArePlain = this.mode === 'public';
    this.basePath = (options.basePath ?? '').replace(/^\/+|\/+$/g, '').replace(/.$/, '$&/');
    this.delivery = this.mode === 'proxy' ? 'stream' : 'redirect';
    this.agents = parts.agents ?? createAgents(maxSockets + SPARE_SOCKETS);
    this.client = createClient(options, endpoint, endpoint.host, this.agents);
    this.signer = new OssSigner(
      createClient(options, facing, facing.publicHost, this.agents),
      signatureVersion,
    );
    this.reader = new OssReader(this.client, (key) => this.nameOf(key), retry);
    this.uploader = new OssUploader(this.client, {
      timeoutMs,
      concurrency: maxSockets,
      retry,
      retryForMs,
      cacheControl: `${this.mode === 'public' ? 'public' : 'private'}, max-age=31536000, immutable`,
    });
    this.publicBase = `${options.publicBaseUrl?.replace(/\/+$/, '') ?? bucketUrl(facing, options.bucket)}/`;
    if (this.mode === 'auto' && signatureVersion === 'v4') {
      this.probe = new V1Probe({
        // Asked where uploads go: that host can be reached from here for certain.
        signer: new OssSigner(this.client, 'v4'),
        agents: this.agents,
        ttlSeconds: linkTtlSeconds,
        absentName: () => this.absentName(),
        pausesMs: V1_PROBE_PAUSES_MS,
      });
    }
  }

  /** @throws Error that says which setting cannot be used, and the ways out */
  static create(options: OssOptions, parts: OssParts): Promise<OssStorage> {
    const { bucket, region, cname, signatureVersion = 'v4', urlMode, publicEndpoint } = options;
    if (urlMode === 'direct' && signatureVersion === 'v4' && parts.linkTtlSeconds > V4_MAX_TTL_S) {
      const days = Math.round(parts.linkTtlSeconds / 86_400);
      return Promise.reject(
        new Error(
          `OSS_URL_MODE=direct cannot make links that live ${days} days: a V4 URL of OSS lives 7 at most. ` +
            'Set OSS_URL_MODE=auto or gateway (a link of ours that redirects to OSS), or OSS_URL_MODE=proxy (a link of ours that streams), ' +
            'or OSS_SIGNATURE_VERSION=v1 if the bucket takes it.',
        ),
      );
    }
    try {
      const endpoint = parseOssEndpoint(options.endpoint, { bucket, region, cname, signatureVersion });
      const facing =
        publicEndpoint === undefined
          ? endpoint
          : parseOssEndpoint(publicEndpoint, { bucket, region: endpoint.region, signatureVersion });
      return Promise.resolve(new OssStorage(options, parts, endpoint, facing));
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error('The OSS settings cannot be used.'));
    }
  }

  /** Resolves once the file is in the bucket, too. Where that fails for good, the local copy stays. */
  async put(file: FileToStore): Promise<StoredFile> {
    const stored = await this.parts.local.put(file);
    const name = this.nameOf(stored.key);
    try {
      await this.uploader.upload(this.parts.local.pathOf(stored.key), stored, name, {
        signal: file.signal,
        onRetry: (error, attempt) =>
          this.logger.warn(
            `${stored.key}: attempt ${attempt} failed, ${error.reason} ${JSON.stringify(error.diagnosis)}`,
          ),
      });
    } catch (cause) {
      if (file.signal?.aborted || file.keepsLocal === false) await this.parts.local.discard(stored.key);
      file.signal?.throwIfAborted();
      const error = fromOssError(cause);
      this.logger.error(`${stored.key}: not uploaded, ${error.reason} ${JSON.stringify(error.diagnosis)}`);
      throw error;
    }
    this.probe?.offer(name);
    return stored;
  }

  stat(key: string): Promise<FileStat> {
    return this.parts.local.stat(key);
  }

  open(key: string, range?: { start: number; end?: number }): Promise<OpenFile> {
    return this.parts.local.open(key, range);
  }

  link({ key }: Pick<StoredFile, 'key'>): Promise<FileLink> {
    const request = { method: 'GET', ttlSeconds: this.parts.linkTtlSeconds } as const;
    switch (this.mode) {
      case 'public':
        return Promise.resolve({ url: this.publicBase + encodeURI(this.nameOf(key)), expiresAt: null });
      case 'direct':
        return this.signer.sign(this.nameOf(key), request);
      case 'auto':
        return Promise.resolve(
          this.takesV1() ? this.signer.signV1(this.nameOf(key), request) : this.parts.links.sign(key),
        );
      case 'gateway':
      case 'proxy':
        return Promise.resolve(this.parts.links.sign(key));
      default:
        throw new Error(`There is no URL mode ${String(this.mode satisfies never)}.`);
    }
  }

  presign(key: string, request: { method: 'GET' | 'HEAD'; ttlSeconds: number }): Promise<FileLink> {
    return this.signer.sign(this.nameOf(key), request);
  }

  statRemote(key: string): Promise<FileStat> {
    return this.reader.stat(key);
  }

  openRemote(key: string, range?: ByteRange): Promise<OpenFile> {
    return this.reader.open(key, range);
  }

  async discard(key: string): Promise<void> {
    await this.parts.local.discard(key);
    try {
      await this.client.delete(this.nameOf(key), { timeout: [5_000, 10_000] });
    } catch (cause) {
      // Deleting is a right of its own, which nothing else here needs.
      this.logger.debug(`${key}: stays in the bucket, ${fromOssError(cause).reason}`);
    }
  }

  check(): Promise<StorageHealth> {
    return this.health.get();
  }

  onApplicationBootstrap(): void {
    this.probe?.start();
    this.check().then(
      ({ ok, detail }) => ok || this.logger.error(`Files cannot be stored now: ${detail ?? 'unknown'}`),
      () => undefined,
    );
  }

  onApplicationShutdown(): void {
    this.probe?.stop();
    destroyAgents(this.agents);
  }

  /** Asks for an object that is not there: only with the right key, bucket, region and clock OSS says so. */
  private async ask(): Promise<StorageHealth> {
    const [local, bucket] = await Promise.all([this.parts.local.check(), this.askBucket()]);
    return local.ok ? bucket : local;
  }

  private async askBucket(): Promise<StorageHealth> {
    try {
      await this.client.get(this.absentName(), { timeout: [3_000, 3_000] });
      return { ok: true };
    } catch (cause) {
      const { reason, message } = fromOssError(cause);
      // "Forbidden" is what an access key that may not list hears of an absent object; uploads may work all the same.
      return reason === 'not_found' || reason === 'forbidden' ? { ok: true } : { ok: false, detail: message };
    }
  }

  private takesV1(): boolean {
    // Whoever sets V1 has a cloud that knows nothing else.
    return this.options.signatureVersion === 'v1' || this.probe?.accepted === true;
  }

  private nameOf(key: string): string {
    return `${this.basePath}${key}`;
  }

  private absentName(): string {
    return this.nameOf(`absent_${randomBytes(9).toString('hex')}`);
  }
}

function bucketUrl({ protocol, publicHost, style }: OssEndpoint, bucket: string): string {
  switch (style) {
    case 'virtual':
      return `${protocol}//${bucket}.${publicHost}`;
    case 'cname':
      return `${protocol}//${publicHost}`;
    case 'path':
      return `${protocol}//${publicHost}/${bucket}`;
    default:
      throw new Error(`There is no style ${String(style satisfies never)}.`);
  }
}
