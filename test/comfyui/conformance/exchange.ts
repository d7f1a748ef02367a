import http from 'node:http';
import type { Item } from './recording.js';

/** An answer as the comparison wants it. */
export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

/** Sends the request of a recorded line. Rejects when there is nobody to answer. */
export function send(
  base: string,
  method: string,
  path: string,
  body: Buffer | undefined,
  type: string,
  more: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = {
      ...(body === undefined ? {} : { 'Content-Type': type, 'Content-Length': body.length }),
      ...more,
    };
    const request = http.request(new URL(path, `${base}/`), { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks),
        }),
      );
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** The recordings hold only the length of what was uploaded; the note before it says fields and name (15). */
export function uploadOf(note: string | undefined, image: Buffer): { body: Buffer; type: string } {
  const match = /^upload fields (\{.*\}) filename (.*)$/.exec(note ?? '');
  const fields = JSON.parse((match?.[1] ?? '{}').replaceAll("'", '"')) as Record<string, string>;
  const filename = match?.[2] ?? 'in2.png';
  const boundary = 'conformance-boundary';
  const parts = Object.entries(fields).map(
    ([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  const file = `--${boundary}\r\nContent-Disposition: form-data; name="image"; filename="${filename}"\r\nContent-Type: image/png\r\n\r\n`;
  return {
    body: Buffer.concat([Buffer.from(parts.join('') + file), image, Buffer.from(`\r\n--${boundary}--\r\n`)]),
    type: `multipart/form-data; boundary=${boundary}`,
  };
}

/** The headers that say something about a server, in a form two runs share. */
export function tellHeaders(
  headers: http.IncomingHttpHeaders | Item['headers'] = {},
): Record<string, string> {
  const told: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    switch (name.toLowerCase()) {
      case 'content-type':
      case 'accept-ranges':
      case 'allow':
      case 'content-security-policy':
      case 'transfer-encoding':
        told[name.toLowerCase()] = String(value);
        break;
      case 'content-disposition':
        told['content-disposition'] = String(value)
          .replace(/\d{5}/, '#####')
          .replace(/temp_[a-z]{5}/, 'temp_?????');
        break;
      case 'etag':
        told['etag'] = /^"[0-9a-f]{16}-[0-9a-f]+"$/.test(String(value)) ? 'mtime-size' : String(value);
        break;
      case 'last-modified':
        told['last-modified'] = Number.isNaN(Date.parse(String(value))) ? String(value) : 'a date';
        break;
      case 'content-length':
        told['content-length'] = value === '0' ? '0' : 'some';
        break;
      default:
    }
  }
  return told;
}
