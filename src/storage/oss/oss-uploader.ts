import { open } from 'node:fs/promises';
import type { StoredFile } from '../storage.port.js';
import { fromFsError } from '../local/fs-error.js';
import type { OssClient, OssReply } from './oss-client.js';
import { ossError } from './oss-error.js';
import { ProgressWatch } from './progress-watch.js';
import { type RetryContext, type RetryPolicy, retrying } from './retry.js';
import { Semaphore } from './semaphore.js';

/** Time to get a connection, in ms. */
const CONNECT_MS = 5_000;

/** Slowest line worth waiting for, in bytes per second: large files get this much more time. */
const SLOWEST_BYTES_PER_S = 128 * 1024;

/** What the system may have taken, but not sent yet: it looks like progress at first and like none later. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;

export interface UploaderOptions {
  /** Longest wait for an answer, in ms, besides the time that the bytes themselves may take. */
  timeoutMs: number;
  /** Uploads at a time; never more than there are connections, because waiting for one counts as a failure. */
  concurrency: number;
  retry: RetryPolicy;
  /** For how long an upload is tried again beyond the policy's count, in ms. */
  retryForMs: number;
  cacheControl: string;
}

/** Sends files on disk to the bucket: every attempt reads the file anew, so it can be repeated. */
export class OssUploader {
  private readonly slots: Semaphore;

  constructor(
    private readonly client: OssClient,
    private readonly options: UploaderOptions,
  ) {
    this.slots = new Semaphore(options.concurrency);
  }

  /**
   * Resolves once OSS has confirmed the very bytes.
   * @param name of the object, base path included
   * @throws StorageError; the signal's reason
   */
  async upload(
    path: string,
    file: StoredFile,
    name: string,
    { signal, onRetry }: Pick<RetryContext, 'signal' | 'onRetry'>,
  ): Promise<void> {
    const attemptMs = this.timeFor(file.size);
    const { retry: policy, retryForMs: patienceMs } = this.options;
    const deadlineMs = Math.max(2 * attemptMs, patienceMs);
    const context: RetryContext = { policy, deadlineMs, patienceMs, signal, onRetry };
    await this.slots.run(
      () => retrying(() => this.attempt(path, file, name, attemptMs, signal), context),
      signal,
    );
  }

  /** Milliseconds. */
  private timeFor(bytes: number): number {
    return Math.ceil(this.options.timeoutMs + (bytes / SLOWEST_BYTES_PER_S) * 1_000);
  }

  private async attempt(
    path: string,
    file: StoredFile,
    name: string,
    attemptMs: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    // Opened first: with a stream that fails to open, ali-oss waits until its timeout.
    const handle = await open(path).catch((error: unknown) => {
      throw fromFsError(error);
    });
    // Told where the end is, the stream ends with its last byte. Otherwise it looks for more on the disk, and where the
    // answer is faster than that, urllib takes the request for a broken one.
    const body = handle.createReadStream({
      start: 0,
      end: Math.max(0, file.size - 1),
      highWaterMark: 256 * 1024,
    });
    // A running upload can be stopped in one way only: its source has to break.
    const stop = () => body.destroy(new Error('aborted'));
    signal?.addEventListener('abort', stop, { once: true });
    const watch = new ProgressWatch(this.timeFor(Math.min(file.size, SOCKET_BUFFER_BYTES)));
    try {
      const sending = this.client.putStream(name, body, {
        contentLength: file.size,
        mime: file.contentType,
        timeout: [CONNECT_MS, attemptMs],
        headers: {
          'Content-Type': file.contentType,
          'Content-MD5': Buffer.from(file.md5, 'hex').toString('base64'),
          'Cache-Control': this.options.cacheControl,
          'Content-Disposition': `inline; filename="${file.key}"`,
        },
      });
      body.on('data', () => watch.touch());
      const { res } = await Promise.race([sending, watch.stalled]);
      confirm(res, file);
    } catch (error) {
      // Not after a success: the stream closes itself, and urllib complains about one that is closed before.
      body.destroy();
      throw error;
    } finally {
      watch.stop();
      signal?.removeEventListener('abort', stop);
    }
  }
}

/** ali-oss takes any 200 for a success, a captive portal's too. */
function confirm({ headers }: OssReply, { md5 }: StoredFile): void {
  const etag = headers['etag']?.replaceAll('"', '').toLowerCase();
  const requestId = headers['x-oss-request-id'];
  if (etag === undefined || requestId === undefined)
    throw ossError('integrity', { said: 'The answer is not from OSS.' });
  // Under KMS encryption an ETag may be something else than the MD5; Content-MD5 was checked by OSS in any case.
  if (/^[0-9a-f]{32}$/.test(etag) && etag !== md5) throw ossError('integrity', { etag, requestId });
}
