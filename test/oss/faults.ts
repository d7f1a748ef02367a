/** Things that go wrong on demand. Byte counts are of the body. */
export type Fault =
  /** A proper error of OSS. */
  | { kind: 'error'; status: number; code: string; message?: string }
  /** Something that is not OSS: a proxy's page, a captive portal. */
  | { kind: 'raw'; status: number; body?: string; headers?: Record<string, string> }
  /** The connection is reset once so much of the upload has arrived. */
  | { kind: 'reset'; afterBytes: number }
  /** The upload is read, and then nothing happens any more. */
  | { kind: 'hang' }
  /** The upload is stored, but the connection is reset instead of an answer. */
  | { kind: 'lose-answer' }
  /** A download announces all bytes, sends so many, and the connection breaks. */
  | { kind: 'truncate'; afterBytes: number }
  /** An upload is stored, with another ETag than its MD5. */
  | { kind: 'wrong-etag' };

export interface FaultTarget {
  /** How many requests. @default 1 */
  times?: number;
  method?: string;
}

/** What will go wrong next, in the order it was added. */
export class Faults {
  private readonly waiting: { fault: Fault; method: string | undefined; left: number }[] = [];

  add(fault: Fault, { times = 1, method }: FaultTarget = {}): void {
    this.waiting.push({ fault, method, left: times });
  }

  clear(): void {
    this.waiting.length = 0;
  }

  take(method: string): Fault | undefined {
    const entry = this.waiting.find((waiting) => waiting.method === undefined || waiting.method === method);
    if (entry === undefined) return undefined;
    entry.left -= 1;
    if (entry.left <= 0) this.waiting.splice(this.waiting.indexOf(entry), 1);
    return entry.fault;
  }
}
