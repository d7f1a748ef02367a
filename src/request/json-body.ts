import { setImmediate as immediate } from 'node:timers/promises';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import { type JsonScan, parseJson } from '../comfy/index.js';
import { ProblemException } from '../problem/index.js';
import { readText } from './body-text.js';
import { inflateBody } from './inflate-body.js';
import { expectMostlyAscii, scanBounded } from './json-bounds.js';
import { findJsonFault } from './json-fault.js';

/** Bytes from which a body is read in several turns of the event loop. */
const LARGE_BYTES = 1024 * 1024;

/**
 * Reads JSON bodies of at most `maxBytes` without rounding long integers (see `parseJson`). Anything else with a body
 * is `unsupported_media_type`.
 * @param forms paths whose handlers read multipart forms by themselves
 */
export function useJsonBody(app: NestExpressApplication, maxBytes: number, forms: readonly string[]): void {
  // As bytes: what is not UTF-8 has to be told from what is, which no decoded text shows any more.
  app.use(inflateBody(maxBytes));
  app.useBodyParser('raw', { type: ['application/json', 'application/*+json'], limit: maxBytes });
  app.use(async (request: Request, _response: Response, next: NextFunction) => {
    if (Buffer.isBuffer(request.body)) request.body = await readBody(request.body, request);
    else if (hasBody(request) && !(forms.includes(request.path) && request.is('multipart/form-data'))) {
      throw new ProblemException(
        'unsupported_media_type',
        'Send the body as JSON, with Content-Type: application/json.',
      );
    }
    next();
  });
}

/** Others get their turn between the steps: each takes some ten milliseconds where a body is as large as it may be. */
async function readBody(bytes: Buffer, request: Request): Promise<unknown> {
  expectMostlyAscii(bytes);
  const text = readText(bytes, request.headers['content-type']);
  if (bytes.length < LARGE_BYTES) return parseBody(text);
  await immediate();
  expectText(text);
  const scan = scanBounded(text);
  await immediate();
  const value = parseScanned(text, scan);
  // What handlers do with it begins in a turn of its own.
  await immediate();
  return value;
}

/** JSON that came with a request; its first mistake is told by line and column. @throws ProblemException `invalid_request` */
export function parseBody(text: string): unknown {
  expectText(text);
  return parseScanned(text, scanBounded(text));
}

function parseScanned(text: string, scan: JsonScan): unknown {
  try {
    return parseJson(text, scan);
  } catch {
    const fault = findJsonFault(text);
    const where =
      fault === undefined
        ? 'an object has one name twice'
        : `line ${fault.line}, column ${fault.column}: expected ${fault.expected}`;
    throw new ProblemException('invalid_request', `The body is not valid JSON: ${where}.`);
  }
}

function expectText(text: string): void {
  if (/\S/.test(text)) return;
  throw new ProblemException('invalid_request', 'The body is empty; send a JSON object.');
}

function hasBody(request: Request): boolean {
  const length = request.headers['content-length'];
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}
