import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { NextFunction, Request, Response } from 'express';
import { holdBytes } from '../connection/index.js';
import { hungUp, ProblemException } from '../problem/index.js';

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/** A body may grow to so many times its size, or to so many bytes: workflows become ten times as large, base64 a third larger. */
const MAX_RATIO = 100;
const FREE_BYTES = 1024 * 1024;

/**
 * Inflates JSON bodies, which the parser behind finds as they are: it knows the size of what comes out, but not what it was made of.
 * What comes out counts as memory that its sender holds.
 */
export function inflateBody(maxBytes: number) {
  return async (request: Request, _response: Response, next: NextFunction): Promise<void> => {
    const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
    if (encoding === 'identity' || request.is(['application/json', 'application/*+json']) === false) {
      return next();
    }
    const decoder = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding]?.() : undefined;
    if (decoder === undefined) {
      throw new ProblemException(
        'unsupported_media_type',
        'The Content-Encoding of the body is not known. Send it as it is, or as gzip, deflate or br.',
      );
    }
    request.body = await inflate(request, decoder, maxBytes);
    // What the parser behind asks to learn that a body was read.
    Object.assign(request, { _body: true });
    next();
  };
}

async function inflate(request: Request, decoder: Transform, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const before = request.socket.bytesRead;
  const leave = () => void (request.complete || decoder.destroy(hungUp()));
  request.once('close', leave);
  request.pipe(decoder);
  try {
    for await (const chunk of decoder as AsyncIterable<Buffer>) {
      size += chunk.length;
      const told = Number(request.headers['content-length'] ?? 0);
      const packed = Math.max(told, request.socket.bytesRead - before);
      if (size > maxBytes || size > Math.max(FREE_BYTES, packed * MAX_RATIO)) throw tooLarge(size > maxBytes);
      if (!holdBytes(request, chunk.length)) throw hungUp();
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof ProblemException) throw error;
    throw new ProblemException(
      'invalid_request',
      'The body cannot be unpacked as its Content-Encoding says.',
    );
  } finally {
    request.off('close', leave);
    request.unpipe(decoder);
    decoder.destroy();
    // What is left is read and thrown away, so that the caller gets to the answer.
    request.resume();
  }
  return Buffer.concat(chunks);
}

function tooLarge(absolute: boolean): ProblemException {
  return new ProblemException(
    'payload_too_large',
    absolute
      ? 'The body is larger than this server takes (MAX_BODY_MB).'
      : `The body grows to more than ${MAX_RATIO} times its size when it is unpacked.`,
  );
}
