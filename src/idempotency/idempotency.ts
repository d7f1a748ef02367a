import { createHash } from 'node:crypto';
import { setImmediate as immediate } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { configure } from 'safe-stable-stringify';
import { ComfyService, type JobState, type SubmitRequest } from '../comfy/index.js';
import { ProblemException } from '../problem/index.js';
import { StateDatabase } from '../state/index.js';

/** Characters that are hashed in one turn of the event loop. */
const SLICE = 1024 * 1024;

/** Milliseconds for which a key stands for its request. */
const KEPT_MS = 86_400_000;

/** Keys in memory at most, about; the oldest go first. On a disk there is room for those of a day. */
const MAX_KEYS = 100_000;

/** New keys between two counts: counting is the dearest part. */
const COUNT_EVERY = 1_000;

/** Bodies nest 64 levels at most; 64-bit seeds are written as they are. */
const stringify = configure({ bigint: true, deterministic: true });

export interface Submission {
  job: JobState;
  /** The job of an earlier request with the same key. */
  replayed: boolean;
}

/** What a request wants beside its job. */
export interface Attachment {
  /** Belongs to what the key stands for; any JSON. */
  decisive: unknown;
  /** Writes it down, together with a job that is made. */
  write(jobId: string): void;
}

interface KeyRow {
  fingerprint: string;
  job: string;
  created: number;
}

/** Makes one job of however many requests with the same key, so that a caller who lost the answer can ask again. */
@Injectable()
export class Idempotency {
  private kept = 0;

  constructor(
    private readonly comfy: ComfyService,
    private readonly database: StateDatabase,
  ) {}

  /**
   * Submits a workflow, unless the key stands for this very request: then its job is the answer. A key whose job failed for
   * a reason that passes, or is forgotten, is free again.
   * @param key undefined: every request is a job
   * @param scope keys of one scope are told apart from those of another: who asks, where that is known
   * @param attachment left as it is where the job is there already
   * @throws ProblemException `idempotency_key_reuse`; what `ComfyService.submit` throws
   */
  async submitOnce(
    key: string | undefined,
    scope: string,
    request: SubmitRequest,
    attachment?: Attachment,
  ): Promise<Submission> {
    const attach = (id: string) => attachment?.write(id);
    if (key === undefined) {
      return { job: await this.comfy.submit(request, { alongside: attach }), replayed: false };
    }
    const fingerprint = await fingerprintOf(request, attachment);
    let earlier: JobState | undefined;
    // Asked for at the last moment: another request with the key may come while files are taken in.
    const instead = () => (earlier = this.jobOf(key, scope, fingerprint));
    const job = await this.comfy.submit(request, {
      instead,
      alongside: (id) => {
        this.keep(key, scope, fingerprint, id);
        attach(id);
      },
    });
    return { job, replayed: earlier !== undefined };
  }

  private jobOf(key: string, scope: string, fingerprint: string): JobState | undefined {
    const row = this.database.get<KeyRow>(
      'SELECT fingerprint, job, created FROM idempotency_keys WHERE scope = ? AND key = ?',
      scope,
      key,
    );
    if (row === undefined || row.created < Date.now() - KEPT_MS) return undefined;
    const job = this.comfy.find(row.job);
    if (job === undefined || job.failure?.retryable) return undefined;
    if (row.fingerprint === fingerprint) return job;
    // Without naming the job: who sends no Caller-Id shares the keys of all who send none.
    throw new ProblemException(
      'idempotency_key_reuse',
      'This Idempotency-Key was used for another request. Send a new key, or the same request.',
    );
  }

  private keep(key: string, scope: string, fingerprint: string, job: string): void {
    const now = Date.now();
    this.database.run('DELETE FROM idempotency_keys WHERE created < ?', now - KEPT_MS);
    this.database.run(
      'INSERT OR REPLACE INTO idempotency_keys (scope, key, fingerprint, job, created) VALUES (?, ?, ?, ?, ?)',
      scope,
      key,
      fingerprint,
      job,
      now,
    );
    this.kept += 1;
    if (this.database.durable || this.kept % COUNT_EVERY !== 0) return;
    this.database.run(
      `DELETE FROM idempotency_keys WHERE created <
         (SELECT created FROM idempotency_keys ORDER BY created DESC LIMIT 1 OFFSET ?)`,
      MAX_KEYS,
    );
  }
}

/** What decides the job: not how its result is shown, and no API keys, which are not to be kept in any form. */
async function fingerprintOf(request: SubmitRequest, attachment: Attachment | undefined): Promise<string> {
  const { workflow, outputNode, allOutputs = false, priority = 0 } = request;
  const { includeTemp, outputsVia, convert, pngInfo, files = [] } = request;
  const decisive = {
    workflow,
    outputNode: outputNode === undefined ? null : String(outputNode),
    allOutputs,
    priority,
    // What was added later counts where it is used, so that older fingerprints hold.
    ...(includeTemp ? { includeTemp } : {}),
    ...(outputsVia === undefined ? {} : { outputsVia }),
    ...(convert === undefined ? {} : { convert }),
    ...(pngInfo === undefined ? {} : { pngInfo }),
    ...(files.length === 0
      ? {}
      : { files: files.map(({ node, input, received: { hash } }) => [node, input, hash]).sort(byPlace) }),
    ...(attachment === undefined ? {} : { attachment: attachment.decisive }),
  };
  // The request was checked in this turn; to write and to hash a large one takes as long again.
  await immediate();
  const text = stringify(decisive) ?? '';
  await immediate();
  const hash = createHash('sha256');
  for (let at = 0; at < text.length; at += SLICE) {
    // Others get their turn: a body may hold megabytes of pictures.
    if (at > 0) await immediate();
    hash.update(sliceOf(text, at));
  }
  return hash.digest('base64url');
}

/** Not between the two halves of a character, which would be hashed as another one. */
function sliceOf(text: string, at: number): string {
  const from = at > 0 && isLowHalf(text, at) ? at + 1 : at;
  const to = at + SLICE;
  return text.slice(from, isLowHalf(text, to) ? to + 1 : to);
}

function isLowHalf(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xdc00;
}

/** In whatever order they came. */
function byPlace(a: readonly string[], b: readonly string[]): number {
  return a.join('\n') < b.join('\n') ? -1 : 1;
}
