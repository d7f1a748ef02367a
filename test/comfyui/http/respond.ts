import type { IncomingMessage, ServerResponse } from 'node:http';
import { stringify } from '../python.js';

/** Answers as aiohttp does: JSON with its charset, everything else bare. */
export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  sendJsonText(response, status, stringify(value));
}

export function sendJsonText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

export function sendText(response: ServerResponse, status: number, text: string, type = 'text/plain'): void {
  response.writeHead(status, {
    'Content-Type': `${type}; charset=utf-8`,
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

/** No body and no content type, as `web.Response(status=…)` (07, 18). */
export function sendEmpty(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'Content-Length': 0 });
  response.end();
}

/** What aiohttp answers when a handler raises (04: a body that is not JSON). */
export function sendServerError(response: ServerResponse): void {
  sendText(response, 500, '500 Internal Server Error\n\nServer got itself in trouble');
}

export class BodyTooLarge extends Error {}

export function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) {
        reject(new BodyTooLarge());
        request.removeAllListeners('data');
        request.resume();
      } else chunks.push(chunk);
    });
    request.on('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    request.on('error', reject);
  });
}
