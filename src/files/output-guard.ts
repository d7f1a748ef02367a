import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { NextFunction, Request, Response } from 'express';
import { parseByteRange, unsatisfiable } from '../delivery/index.js';
import { ProblemException } from '../problem/index.js';
import { etagOf, isKey, type Storage } from '../storage/index.js';

/** One plain name: no folder, no dot file, nothing a shell or a proxy could read differently. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;

/**
 * Lets through to serve-static only what it answers well: GET and HEAD of a regular file right in the folder. By
 * itself it follows symlinks, and some of its errors name absolute paths.
 */
export function guardOutput(directory: string, { linksArePlain }: Pick<Storage, 'linksArePlain'>) {
  return async (request: Request, response: Response, next: NextFunction): Promise<void> => {
    await check(directory, linksArePlain, request, response);
    next();
  };
}

/** @throws ProblemException */
async function check(
  directory: string,
  linksArePlain: boolean,
  request: Request,
  response: Response,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    throw new ProblemException('method_not_allowed', 'Files can be read only (GET, HEAD).');
  }
  const name = decode(request.path).slice(1);
  const file = NAME.test(name) ? await lstat(join(directory, name)).catch(() => undefined) : undefined;
  // A file behind a signed link is had by that link alone.
  if (file === undefined || !file.isFile() || (isKey(name) && !linksArePlain))
    throw new ProblemException('not_found', 'There is no such file.');
  const range = parseByteRange(request.headers.range, file.size);
  const condition = request.headers['if-range'];
  if (range === 'unsatisfiable' && (condition === undefined || condition === etagOf(name, file.size)))
    throw unsatisfiable(response, file.size);
  // serve-static refuses some of what RFC 9110 lets a server ignore.
  if (typeof range === 'string') delete request.headers.range;
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new ProblemException(
      'invalid_request',
      'The address is not well-formed: a % must be followed by two hex digits.',
    );
  }
}
