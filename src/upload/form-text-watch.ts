import type { Readable } from 'node:stream';
import type { Request } from 'express';

/** What a decoder writes for bytes that are no UTF-8 (U+FFFD), as UTF-8. */
const REPLACEMENT = Buffer.from('efbfbd', 'hex');

/**
 * Counts how often a body holds U+FFFD itself. busboy decodes the fields of a form and writes that character for every byte that is no
 * UTF-8: fields with more of them than the body has were not UTF-8. (By chance, a file among 16 MB has one.)
 */
export class FormTextWatch {
  private readonly counts = new WeakMap<Request, number>();

  /** Hands a form's body to its reader, and looks at it on the way; multer's `streamHandler`. */
  readonly feed = (request: Request, reader: NodeJS.WritableStream): void => {
    this.counts.set(request, 0);
    let rest: Buffer = Buffer.alloc(0);
    (request as Readable).on('data', (chunk: Buffer) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let count = this.counts.get(request) ?? 0;
      for (let at = bytes.indexOf(REPLACEMENT); at !== -1; at = bytes.indexOf(REPLACEMENT, at + 3))
        count += 1;
      this.counts.set(request, count);
      rest =
        bytes.at(-1) === 0xef || bytes.at(-2) === 0xef ? Buffer.from(bytes.subarray(-2)) : Buffer.alloc(0);
    });
    request.pipe(reader);
  };

  /** The first field whose bytes were no UTF-8; undefined where all were. */
  damagedField(request: Request, fields: Readonly<Record<string, unknown>>): string | undefined {
    const replaced = Object.entries(fields).flatMap(([field, value]) => {
      const count = countIn(field) + (typeof value === 'string' ? countIn(value) : 0);
      return count === 0 ? [] : [{ field, count }];
    });
    const total = replaced.reduce((sum, { count }) => sum + count, 0);
    return total > (this.counts.get(request) ?? 0) ? replaced[0]?.field : undefined;
  }
}

function countIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\uFFFD'); at !== -1; at = text.indexOf('\uFFFD', at + 1)) count += 1;
  return count;
}
