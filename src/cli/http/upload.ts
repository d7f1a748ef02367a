import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, constants, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { usageError, whyOf } from '../cli.error.js';
import type { Api } from './api.js';

/** The server hashes and stores a large file before it answers. */
const STORING_MS = 300_000;

/** A file to upload. */
export interface LocalFile {
  path: string;
  name: string;
  /** Bytes; undefined for a pipe, whose end nobody knows and which can be read once only. */
  size: number | undefined;
}

/** @throws CliError `usage` */
export async function inspectFile(path: string): Promise<LocalFile> {
  try {
    const stats = await stat(path);
    if (stats.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    await access(path, constants.R_OK);
    return { path, name: basename(resolve(path)), size: stats.isFile() ? stats.size : undefined };
  } catch (error) {
    throw usageError(
      `The file ${path} cannot be read: ${whyOf(error)}.`,
      'A text that begins with @ is written with two of them: =@@text.',
    );
  }
}

/**
 * Sends a file as an asset (`POST /api/v2/assets`), streamed from the disk. Sent twice it is one asset, so it may be tried again.
 * @param sent is told how many bytes are on their way
 * @returns id of the asset
 */
export async function uploadFile(
  api: Api,
  file: LocalFile,
  sent: (bytes: number) => void,
  signal: AbortSignal,
): Promise<string> {
  const boundary = `comfy-sync-${randomUUID()}`;
  const name = file.name.replace(/["\r\n]/g, (character) => encodeURIComponent(character));
  const head = Buffer.from(
    `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\n` +
      'Content-Type: application/octet-stream\r\n\r\n',
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const body = async function* (): AsyncGenerator<Buffer> {
    yield head;
    let bytes = 0;
    for await (const chunk of createReadStream(file.path) as AsyncIterable<Buffer>) {
      yield chunk;
      sent((bytes += chunk.length));
    }
    yield tail;
  };
  const { size } = file;
  const { value } = await api.json({
    method: 'POST',
    path: '/api/v2/assets',
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      ...(size === undefined ? {} : { 'content-length': String(head.length + size + tail.length) }),
    },
    body,
    signal,
    answerTimeoutMs: STORING_MS,
    ...(size === undefined ? { retries: 0 } : {}),
  });
  return (value as { id: string }).id;
}
