import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, rmSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { CliError, fileError, whyOf } from '../cli.error.js';
import { EXIT } from '../exit-codes.js';
import type { Api } from '../http/api.js';
import { networkCode } from '../http/network-error.js';
import { isEndOfJob, jobFailure } from '../http/problem.js';

/** One file of a job. */
export interface FileOfJob {
  job: string;
  index: number;
}

/** Files that are being written, for whoever has to leave at once. */
export class Unfinished {
  private readonly paths = new Set<string>();

  add(path: string): void {
    this.paths.add(path);
  }

  delete(path: string): void {
    this.paths.delete(path);
  }

  /** Removes them all, now. */
  sweep(): void {
    for (const path of this.paths) rmSync(path, { force: true, recursive: true });
  }
}

/**
 * Saves a file of a job: written beside its target and renamed when it is whole, so that there is never half a file under its name. What was
 * there before is replaced.
 * @param got is told how many bytes have come
 * @returns bytes
 */
export async function saveFile(
  api: Api,
  file: FileOfJob,
  path: string,
  unfinished: Unfinished,
  got: (bytes: number) => void,
  signal: AbortSignal,
): Promise<number> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.part`);
  unfinished.add(temporary);
  try {
    const size = await fetchInto(api, file, temporary, got, signal);
    await rename(temporary, path).catch((error: unknown) => {
      throw fileError(EXIT.unexpected, `${path} cannot be written: ${whyOf(error)}.`, error);
    });
    return size;
  } finally {
    await rm(temporary, { force: true });
    unfinished.delete(temporary);
  }
}

/** Writes a file of a job to a stream, once all of it is here: a reader never gets the half of one. */
export async function pipeFile(
  api: Api,
  file: FileOfJob,
  to: NodeJS.WritableStream,
  unfinished: Unfinished,
  got: (bytes: number) => void,
  signal: AbortSignal,
): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'comfy-sync-'));
  unfinished.add(folder);
  try {
    const path = join(folder, 'file');
    const size = await fetchInto(api, file, path, got, signal);
    await pipeline(createReadStream(path), to, { end: to !== process.stdout, signal });
    return size;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof CliError || (error as NodeJS.ErrnoException).code === 'EPIPE') throw error;
    throw fileError(EXIT.unexpected, `The file cannot be written: ${whyOf(error)}.`, error);
  } finally {
    await rm(folder, { force: true, recursive: true });
    unfinished.delete(folder);
  }
}

async function fetchInto(
  api: Api,
  { job, index }: FileOfJob,
  path: string,
  got: (bytes: number) => void,
  signal: AbortSignal,
): Promise<number> {
  const asked = {
    path: `/api/generate/${encodeURIComponent(job)}`,
    query: { response_type: 'file', output_index: index },
    signal,
  };
  try {
    return await api.send(asked, async ({ status, headers, body }) => {
      if (status !== 200) {
        throw new CliError(EXIT.unexpected, {
          code: 'no_file',
          detail: `HTTP ${status} came in place of the file.`,
        });
      }
      let bytes = 0;
      const count = async function* (source: AsyncIterable<Buffer>) {
        for await (const chunk of source) {
          got((bytes += chunk.length));
          yield chunk;
        }
      };
      await pipeline(body, count, createWriteStream(path));
      const announced = Number(headers['content-length'] ?? bytes);
      if (bytes === announced) return bytes;
      throw Object.assign(new Error('the file is not whole'), { code: 'ECONNRESET' });
    });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof CliError) {
      throw isEndOfJob(error.problem) ? jobFailure(error.problem) : error;
    }
    if (networkCode(error) !== undefined) throw error;
    throw fileError(EXIT.unexpected, `${path} cannot be written: ${whyOf(error)}.`, error);
  }
}
