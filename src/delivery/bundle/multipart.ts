import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Bundle, BundledFile } from './bundle.types.js';
import type { FilesInTurn } from './files-in-turn.js';

const CRLF = '\r\n';

/** `multipart/mixed` (RFC 2046, 5.1): a part for each file, with its type, its length and its name. */
export function multipartOf(files: readonly BundledFile[], turns: FilesInTurn): Bundle {
  const boundary = randomUUID();
  const parts = files.map((file, index) => ({
    file,
    head: Buffer.from(`${index === 0 ? '' : CRLF}--${boundary}${CRLF}${headOf(file)}${CRLF}`),
  }));
  const end = Buffer.from(`${CRLF}--${boundary}--${CRLF}`);
  const stream = Readable.from(write(parts, end, turns), { objectMode: false });
  // A reader who leaves while a source is silent would else wait for it.
  stream.once('close', () => turns.close());
  return {
    stream,
    size: parts.reduce((sum, { file, head }) => sum + head.length + file.size, end.length),
    contentType: `multipart/mixed; boundary="${boundary}"`,
  };
}

async function* write(
  parts: readonly { file: BundledFile; head: Buffer }[],
  end: Buffer,
  turns: FilesInTurn,
): AsyncGenerator<Buffer> {
  for (const { file, head } of parts) {
    yield head;
    let left = file.size;
    for await (const chunk of await turns.open(file.key)) {
      left -= (chunk as Buffer).length;
      yield chunk as Buffer;
    }
    // Its length is in the headers already.
    if (left !== 0) throw new Error(`A file changed its size while it was sent: ${left} bytes are missing`);
  }
  yield end;
}

function headOf({ name, size, contentType }: BundledFile): string {
  return [
    `Content-Type: ${contentType}`,
    `Content-Length: ${size}`,
    `Content-Disposition: attachment; ${filenameOf(name)}`,
    '',
  ].join(CRLF);
}

/** Names hold letters of every alphabet: RFC 6266 says how, and what older readers get. */
function filenameOf(name: string): string {
  const ascii = name.replace(/[^\x20-\x7e]/g, '_');
  return ascii === name
    ? `filename="${name}"`
    : `filename="${ascii}"; filename*=UTF-8''${encodeURIComponent(name).replace(/[()]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)}`;
}
