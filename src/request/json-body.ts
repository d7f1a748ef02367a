import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import { parseJson } from '../comfy/index.js';
import { ProblemException } from '../problem/index.js';
import { readText } from './body-text.js';
import { findJsonFault } from './json-fault.js';

/** No workflow nests deeper than a handful; recursive code behind us must not be walked off its stack. */
const MAX_DEPTH = 64;

/**
 * Reads JSON bodies of at most `maxBytes` without rounding long integers (see `parseJson`). Anything else with a body
 * is `unsupported_media_type`.
 * @param forms paths whose handlers read multipart forms by themselves
 */
export function useJsonBody(app: NestExpressApplication, maxBytes: number, forms: readonly string[]): void {
  // As bytes: what is not UTF-8 has to be told from what is, which no decoded text shows any more.
  app.useBodyParser('raw', { type: ['application/json', 'application/*+json'], limit: maxBytes });
  app.use((request: Request, _response: Response, next: NextFunction) => {
    if (Buffer.isBuffer(request.body)) {
      request.body = parseBody(readText(request.body, request.headers['content-type']));
    } else if (hasBody(request) && !(forms.includes(request.path) && request.is('multipart/form-data'))) {
      throw new ProblemException(
        'unsupported_media_type',
        'Send the body as JSON, with Content-Type: application/json.',
      );
    }
    next();
  });
}

/** JSON that came with a request; its first mistake is told by line and column. @throws ProblemException `invalid_request` */
export function parseBody(text: string): unknown {
  if (text.trim() === '')
    throw new ProblemException('invalid_request', 'The body is empty; send a JSON object.');
  if (isTooDeep(text)) {
    throw new ProblemException('invalid_request', `The body nests deeper than ${MAX_DEPTH} levels.`);
  }
  try {
    return parseJson(text);
  } catch {
    const fault = findJsonFault(text);
    const where =
      fault === undefined
        ? 'an object has one name twice'
        : `line ${fault.line}, column ${fault.column}: expected ${fault.expected}`;
    throw new ProblemException('invalid_request', `The body is not valid JSON: ${where}.`);
  }
}

function hasBody(request: Request): boolean {
  const length = request.headers['content-length'];
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);

function isTooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const char = text.charCodeAt(index);
    if (inString) {
      if (char === BACKSLASH) index += 1;
      else if (char === QUOTE) inString = false;
    } else if (char === QUOTE) inString = true;
    else if (OPENING.has(char)) {
      depth += 1;
      if (depth > MAX_DEPTH) return true;
    } else if (CLOSING.has(char)) depth -= 1;
  }
  return false;
}
