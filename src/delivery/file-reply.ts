import { pipeline } from 'node:stream/promises';
import type { Request, Response } from 'express';
import { ProblemException } from '../problem/index.js';
import type { ByteRange, FileStat, OpenFile } from '../storage/index.js';
import { parseByteRange } from './byte-range.js';
import { setFileHeaders } from './file-headers.js';
import { unsatisfiable } from './unsatisfiable.js';

export interface FileSource {
  stat(): Promise<FileStat>;
  open(range?: ByteRange): Promise<OpenFile>;
}

/**
 * Answers with a file: whole or in part, or 304 where the reader has it. If the bytes end too early, the connection is
 * broken off: a clean end would pass off a part for the whole.
 * @throws ProblemException `range_not_satisfiable`; StorageError, before anything was sent
 */
export async function sendFile(
  source: FileSource,
  secondsLeft: number,
  request: Request,
  response: Response,
): Promise<void> {
  const file = await source.stat();
  expectPreconditions(request, file);
  setFileHeaders(response, file, secondsLeft);
  if (hasIt(request, file)) {
    response.status(304).end();
    return;
  }
  const range = wantedRange(request, file);
  if (range === 'unsatisfiable') throw unsatisfiable(response, file.size);
  if (request.method === 'HEAD') {
    response.setHeader('Content-Length', file.size);
    response.end();
    return;
  }
  const { stream } = await source.open(range);
  if (range === undefined) {
    response.setHeader('Content-Length', file.size);
  } else {
    response.status(206);
    response.setHeader('Content-Range', `bytes ${range.start}-${range.end}/${file.size}`);
    response.setHeader('Content-Length', range.end - range.start + 1);
  }
  // Either side may go away; pipeline then ends the other, and there is nobody left to tell.
  await pipeline(stream, response).catch(() => undefined);
}

/**
 * RFC 9110, 13.1.1 and 13.1.4: `If-Match` compares strongly, and counts before `If-Unmodified-Since`.
 * @throws ProblemException `precondition_failed`
 */
function expectPreconditions({ headers }: Request, { etag, lastModified }: FileStat): void {
  const tags = headers['if-match'];
  const since = Date.parse(headers['if-unmodified-since'] ?? '');
  const holds =
    tags === undefined
      ? Number.isNaN(since) || secondsOf(lastModified.getTime()) <= secondsOf(since)
      : tags.trim() === '*' || tags.split(',').some((tag) => tag.trim() === etag);
  if (holds) return;
  throw new ProblemException(
    'precondition_failed',
    'The file is not as If-Match or If-Unmodified-Since says.',
  );
}

/** Dates of headers have no milliseconds. */
function secondsOf(ms: number): number {
  return Math.floor(ms / 1_000);
}

/** RFC 9110, 13.1.2 and 13.1.3: `If-None-Match` compares weakly, and counts before `If-Modified-Since`. */
function hasIt({ headers }: Request, { etag, lastModified }: FileStat): boolean {
  const tags = headers['if-none-match'];
  if (tags === undefined) {
    const since = Date.parse(headers['if-modified-since'] ?? '');
    return !Number.isNaN(since) && secondsOf(lastModified.getTime()) <= secondsOf(since);
  }
  return tags.trim() === '*' || tags.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
}

/** `Range` counts for GET only, and with `If-Range` only where the reader's part is of this very file. */
function wantedRange(
  { method, headers }: Request,
  { size, etag }: FileStat,
): ByteRange | 'unsatisfiable' | undefined {
  const condition = headers['if-range'];
  if (method !== 'GET' || (condition !== undefined && condition !== etag)) return undefined;
  const range = parseByteRange(headers.range, size);
  return range === 'whole' ? undefined : range;
}
