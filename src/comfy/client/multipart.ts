import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';

/** A file on its way into a folder of ComfyUI. */
export interface FileToUpload {
  /** Letters, digits, `.`, `_` and `-` only: it goes into a header as it is. */
  name: string;
  subfolder: string;
  /** @default 'input' */
  type?: 'input' | 'output' | 'temp';
  /** A file of this name is replaced; otherwise the server renames the new one. @default false */
  overwrite?: boolean;
  /** Bytes of `body`. */
  size: number;
  body: Readable;
}

/** The body of `POST /upload/image` (15) as a stream of known length (RFC 7578): files can be larger than the memory. */
export function toMultipart({
  name,
  subfolder,
  type = 'input',
  overwrite = false,
  size,
  body,
}: FileToUpload): {
  body: Readable;
  headers: Record<string, string>;
} {
  const boundary = `----${randomUUID()}`;
  const field = (field: string, value: string) =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${field}"\r\n\r\n${value}\r\n`;
  const head = Buffer.from(
    `${field('type', type)}${field('subfolder', subfolder)}${overwrite ? field('overwrite', 'true') : ''}--${boundary}\r\n` +
      `Content-Disposition: form-data; name="image"; filename="${name}"\r\nContent-Type: application/octet-stream\r\n\r\n`,
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  async function* parts(): AsyncGenerator<Buffer> {
    yield head;
    yield* body as AsyncIterable<Buffer>;
    yield tail;
  }
  return {
    body: Readable.from(parts(), { objectMode: false }),
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': String(head.length + size + tail.length),
    },
  };
}
