import { Readable } from 'node:stream';

/** Characters decoded in one go; a multiple of 4, as base64 wants it, and small enough that others get their turn in between. */
const SLICE = 256 * 1024;

/** RFC 2397: `data:[<media type>][;base64],<data>`. */
const DATA_URL = /^\s*data:([^,]{0,255}),/i;

/** What is no base64, or no `data:` URL. */
export class InlineDataError extends Error {
  override readonly name = 'InlineDataError';
}

/** The bytes of a `data:` URL, or of plain base64, decoded as they are read. @throws InlineDataError at once, or as the error of the stream */
export function decodeInline(text: string): Readable {
  const header = DATA_URL.exec(text.slice(0, 512));
  if (header === null) {
    if (/^\s*data:/i.test(text)) throw new InlineDataError('is no data: URL that can be read');
    return fromBase64(text, 0);
  }
  const [prefix, type = ''] = header;
  const data = text.slice(prefix.length);
  if (!/;\s*base64\s*$/i.test(type))
    return Readable.from([Buffer.from(unescaped(data))], { objectMode: false });
  return data.includes('%') ? fromBase64(unescaped(data), 0) : fromBase64(text, prefix.length);
}

function fromBase64(text: string, start: number): Readable {
  function* decode(): Generator<Buffer> {
    let rest = '';
    let ended = false;
    for (let at = start; at < text.length; at += SLICE) {
      // Line breaks are usual (RFC 2045, 6.8); anything else is a mistake.
      const slice = rest + text.slice(at, at + SLICE).replace(/\s+/g, '');
      const whole = slice.length - (slice.length % 4);
      const part = at + SLICE < text.length ? slice.slice(0, whole) : slice;
      rest = at + SLICE < text.length ? slice.slice(whole) : '';
      if (part === '') continue;
      if (ended || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(part)) throw new InlineDataError('is not base64');
      ended = part.endsWith('=');
      const digits = part.replace(/=+$/, '').length;
      if (digits % 4 === 1) throw new InlineDataError('is base64 that was cut off');
      yield Buffer.from(part, 'base64');
    }
  }
  return Readable.from(decode(), { objectMode: false });
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new InlineDataError('is no data: URL that can be read');
  }
}
