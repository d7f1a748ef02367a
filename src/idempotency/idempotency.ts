import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { configure } from 'safe-stable-stringify';
import { ComfyService, type JobState, type SubmitRequest } from '../comfy/index.js';
import { ProblemException } from '../problem/index.js';
import { StateDatabase } from '../state/index.js';

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
   * @throws ProblemException `idempotency_key_reuse`; what `ComfyService.submit` throws
   */
  submitOnce(key: string | undefined, scope: string, request: SubmitRequest): Submission {
    if (key === undefined) return { job: this.comfy.submit(request), replayed: false };
    const fingerprint = fingerprintOf(request);
    const job = this.jobOf(key, scope, fingerprint);
    if (job !== undefined) return { job, replayed: true };
    const keep = (id: string) => this.keep(key, scope, fingerprint, id);
    return { job: this.comfy.submit(request, keep), replayed: false };
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
function fingerprintOf({
  workflow,
  outputNode,
  allOutputs = false,
  priority = 0,
  convert,
}: SubmitRequest): string {
  const decisive = {
    workflow,
    outputNode: outputNode === undefined ? null : String(outputNode),
    allOutputs,
    priority,
    // Only where there is one: keys of before it was known keep their meaning.
    ...(convert === undefined ? {} : { convert }),
  };
  return createHash('sha256')
    .update(stringify(decisive) ?? '')
    .digest('base64url');
}
