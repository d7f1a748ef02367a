import { Readable } from 'node:stream';
import { etagOf, isKey, kindOfKey } from '../naming/file-key.js';
import { contentTypeOf } from '../naming/media-type.js';
import type { ByteRange, FileStat, OpenFile } from '../storage.port.js';
import type { OssClient, OssReply } from './oss-client.js';
import { ossError } from './oss-error.js';
import { ProgressWatch } from './progress-watch.js';
import { type RetryPolicy, retrying } from './retry.js';

/** Somebody waits for the first byte, so reading gives up sooner than uploading. Milliseconds. */
const DEADLINE_MS = 15_000;
const TIMEOUT = [5_000, 10_000] as const;
const IDLE_MS = 30_000;

/** Reads files back from the bucket. */
export class OssReader {
  constructor(
    private readonly client: OssClient,
    private readonly nameOf: (key: string) => string,
    private readonly policy: RetryPolicy,
  ) {}

  /** @throws StorageError `file_not_found` · `storage_error` */
  async stat(key: string): Promise<FileStat> {
    assertKey(key);
    const { res } = await this.retrying(() => this.client.head(this.nameOf(key), { timeout: TIMEOUT }));
    return toStat(key, res, Number(res.headers['content-length']));
  }

  /** @throws StorageError `file_not_found` · `storage_error`; the stream ends with an error where bytes are missing */
  async open(key: string, range?: ByteRange): Promise<OpenFile> {
    assertKey(key);
    const headers: Record<string, string> =
      range === undefined ? {} : { Range: `bytes=${range.start}-${range.end}` };
    const { stream, res } = await this.retrying(() =>
      this.client.getStream(this.nameOf(key), { timeout: TIMEOUT, headers }),
    );
    const length = Number(res.headers['content-length']);
    const total = Number(/\/(\d+)$/.exec(res.headers['content-range'] ?? '')?.[1] ?? length);
    // A range that is ignored would be taken for the part.
    if ((range === undefined) !== (res.headers['content-range'] === undefined)) {
      stream.destroy();
      throw ossError('integrity', { status: res.status });
    }
    const body = Readable.from(exactly(stream, length), { objectMode: false });
    return { ...toStat(key, res, total), stream: body, ...(range === undefined ? {} : { range }) };
  }

  private retrying<T>(attempt: () => Promise<T>): Promise<T> {
    return retrying(attempt, { policy: this.policy, deadlineMs: DEADLINE_MS });
  }
}

function assertKey(key: string): void {
  if (!isKey(key)) throw ossError('not_found');
}

function toStat(key: string, { headers }: OssReply, size: number): FileStat {
  if (!Number.isSafeInteger(size) || headers['x-oss-request-id'] === undefined) throw ossError('integrity');
  return {
    key,
    kind: kindOfKey(key),
    size,
    // By the name, like the local copy's: what comes from outside is never trusted with a type that can act.
    contentType: contentTypeOf(key),
    etag: etagOf(key, size),
    lastModified: new Date(headers['last-modified'] ?? 0),
  };
}

/** A connection that breaks, stalls or ends early ends in an error. The clock runs only while bytes are wanted. */
async function* exactly(source: Readable, length: number): AsyncGenerator<Uint8Array> {
  let count = 0;
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  try {
    for (;;) {
      const watch = new ProgressWatch(IDLE_MS);
      const { value, done } = await Promise.race([chunks.next(), watch.stalled]).finally(() => watch.stop());
      if (done === true) break;
      count += value.length;
      yield value;
    }
    if (count !== length) throw ossError('integrity', { announced: length, counted: count });
  } finally {
    source.destroy();
  }
}
