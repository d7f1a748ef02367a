import { Logger } from '@nestjs/common';
import type { StateDatabase } from '../../state/index.js';
import {
  assetReferences,
  parseJson,
  stringifyJson,
  type MediaInput,
  type Workflow,
} from '../workflow/index.js';
import type { Job } from './job.js';
import type { JobEvent, JobOutput, JobRequest, JobState, JobStatus } from './job.types.js';
import { outputTypeOf } from './output-type.js';

/** What of a request is written down beside its workflow. */
interface StoredRequest extends Omit<JobRequest, 'workflow' | 'extraData' | 'keysLost'> {
  /** It came with keys, which are not written down. */
  hadKeys: boolean;
}

/** A job that had not ended when the last process did. */
export interface UnfinishedJob {
  state: JobState;
  request: JobRequest;
}

export interface JobFilter {
  /** Any of these; all where absent. */
  statuses?: readonly JobStatus[] | undefined;
  /** Only those that came before this place. */
  before?: number | undefined;
  /** 1 or more. */
  limit: number;
}

export interface JobPage {
  /** The newest first. */
  jobs: JobState[];
  /** For `before`, to get the next page; undefined on the last. */
  next: number | undefined;
}

/** Jobs remembered in memory once they have ended, and characters of their workflows. A file has room for all. */
const KEPT_IN_MEMORY = 1_000;
const KEPT_WORKFLOWS = 32 * 1024 * 1024;

/** Milliseconds between two tries to write what could not be written. */
const RETRY_MS = 1_000;

/** Types were not always written down. */
type WrittenOutput = Omit<JobOutput, 'type'> & Partial<Pick<JobOutput, 'type'>>;

interface Row {
  number: number;
  state: string;
}

/** Every job there is and was, written down as it goes: a job is on record before its caller hears of it. */
export class JobStore {
  private readonly logger = new Logger(JobStore.name);
  /** What could not be written down yet; no more than what was under way when that began, as nothing new is taken then. */
  private readonly unwritten = new Map<string, JobState>();
  private retry: NodeJS.Timeout | undefined;

  constructor(private readonly database: StateDatabase) {}

  /** Do jobs outlive this process? */
  get durable(): boolean {
    return this.database.durable;
  }

  /** A new job, and what belongs to it; from now on its changes are written down as well. @throws StateError */
  add(job: Job, alongside?: (jobId: string) => void): void {
    const { request, state } = job;
    if (request === undefined) return;
    const { workflow, extraData, keysLost, ...kept } = request;
    const stored: StoredRequest = { ...kept, hadKeys: keysLost === true || extraData !== undefined };
    this.database.transaction(() => {
      this.database.run(
        'INSERT INTO jobs (id, status, created, state, request, workflow) VALUES (?, ?, ?, ?, ?, ?)',
        state.id,
        state.status,
        state.times.created,
        writeState(state),
        stringifyJson(stored),
        stringifyJson(workflow),
      );
      alongside?.(job.id);
    });
    this.follow(job);
  }

  /** Writes down the changes of a job that is on record. */
  follow(job: Job): void {
    job.changes$.subscribe(({ state, event }) => {
      if (event !== undefined && isLasting(event)) this.save(state);
    });
  }

  /** A job as it was written down last. @throws StateError */
  find(id: string): JobState | undefined {
    const unwritten = this.unwritten.get(id);
    if (unwritten !== undefined) return unwritten;
    const row = this.database.get<Row>('SELECT number, state FROM jobs WHERE id = ?', id);
    return row && readState(row.state);
  }

  /** The workflow as it was sent; undefined where it is not kept any more. @throws StateError */
  workflowOf(id: string): Workflow | undefined {
    const row = this.database.get<{ workflow: string | null }>('SELECT workflow FROM jobs WHERE id = ?', id);
    return typeof row?.workflow === 'string' ? (parseJson(row.workflow) as Workflow) : undefined;
  }

  /** @throws StateError */
  list({ statuses, before, limit }: JobFilter): JobPage {
    const conditions = [
      ...(before === undefined ? [] : ['number < ?']),
      ...(statuses === undefined ? [] : [`status IN (${statuses.map(() => '?').join(', ')})`]),
    ];
    const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
    const rows = this.database.all<Row>(
      `SELECT number, state FROM jobs ${where} ORDER BY number DESC LIMIT ?`,
      ...(before === undefined ? [] : [before]),
      ...(statuses ?? []),
      limit + 1,
    );
    const page = rows.slice(0, limit);
    return {
      jobs: page.map(({ state }) => readState(state)),
      next: rows.length > limit ? page.at(-1)?.number : undefined,
    };
  }

  /** Jobs that have not ended, in the order in which they came. @throws StateError */
  unfinished(): UnfinishedJob[] {
    const rows = this.database.all<{ state: string; request: string; workflow: string }>(
      "SELECT state, request, workflow FROM jobs WHERE status IN ('queued', 'running', 'storing') ORDER BY number",
    );
    return rows.map(({ state, request, workflow }) => {
      const graph = parseJson(workflow) as Workflow;
      return { state: readState(state), request: readRequest(request, graph) };
    });
  }

  /** Ids of jobs that ended before a time (ms since the epoch), the oldest first, `limit` at most. @throws StateError */
  endedBefore(time: number, limit: number): string[] {
    return this.database
      .all<{ id: string }>(
        'SELECT id FROM jobs WHERE finished IS NOT NULL AND finished < ? ORDER BY finished LIMIT ?',
        time,
        limit,
      )
      .map(({ id }) => id);
  }

  /** Ids of jobs that are too many to be remembered in memory, the oldest first; none where there is a file. @throws StateError */
  tooMany(): string[] {
    if (this.durable) return [];
    return this.database
      .all<{ id: string }>(
        'SELECT id FROM jobs WHERE finished IS NOT NULL ORDER BY finished DESC LIMIT -1 OFFSET ?',
        KEPT_IN_MEMORY,
      )
      .map(({ id }) => id)
      .reverse();
  }

  /** @throws StateError */
  forget(id: string): void {
    this.database.run('DELETE FROM jobs WHERE id = ?', id);
  }

  /** What is too much to be remembered in memory: workflows of jobs that have ended, the newest are kept. @throws StateError */
  trimWorkflows(): void {
    if (this.durable) return;
    this.database.run(
      `UPDATE jobs SET workflow = NULL WHERE number IN (
         SELECT number FROM (
           SELECT number, SUM(LENGTH(workflow)) OVER (ORDER BY number DESC) AS kept
           FROM jobs WHERE finished IS NOT NULL AND workflow IS NOT NULL
         ) WHERE kept > ?
       )`,
      KEPT_WORKFLOWS,
    );
  }

  /** Writes what could not be written before. Never throws. @returns whether all of it is written */
  flush(): boolean {
    clearTimeout(this.retry);
    this.retry = undefined;
    try {
      for (const [id, { status, times, ...rest }] of this.unwritten) {
        this.database.run(
          // Of what it was asked nothing is needed after its end, and the metadata for its files may be large.
          "UPDATE jobs SET status = ?, finished = ?, state = ?, request = iif(? IS NULL, request, '{}') WHERE id = ?",
          status,
          times.finished ?? null,
          writeState({ ...rest, status, times }),
          times.finished ?? null,
          id,
        );
        this.unwritten.delete(id);
      }
      return true;
    } catch (error) {
      const cause = (error as Error).cause;
      const why = cause instanceof Error ? cause.message : 'unknown';
      this.logger.error(`How ${this.unwritten.size} jobs are cannot be written down: ${why}`);
      this.retry = setTimeout(() => this.flush(), RETRY_MS);
      this.retry.unref();
      return false;
    }
  }

  /** A job goes on all the same where it cannot be written how it is. */
  private save(state: JobState): void {
    this.unwritten.set(state.id, state);
    if (this.retry === undefined) this.flush();
  }
}

/** The others are of the moment: whoever goes on with the job after a restart finds them out anew. */
function isLasting(event: JobEvent): boolean {
  switch (event.type) {
    case 'progress':
    case 'preview':
    case 'output':
    case 'rendered':
      return false;
    case 'accepted':
      return Object.keys(event.nodeErrors).length > 0;
    default:
      return true;
  }
}

function readRequest(text: string, workflow: Workflow): JobRequest {
  const { hadKeys, media, ...rest } = parseJson(text) as Omit<StoredRequest, 'media'> &
    Partial<StoredRequest>;
  return {
    ...rest,
    workflow,
    // A version before this one knew of assets only.
    media: media ?? assetsOf(workflow),
    keysLost: hadKeys,
  };
}

function assetsOf(workflow: Workflow): MediaInput[] {
  return assetReferences(workflow).flatMap(({ id: asset, node, input }) =>
    asset === undefined ? [] : [{ node, input, kind: undefined, asset }],
  );
}

function writeState({ progress: _progress, preview: _preview, ...state }: JobState): string {
  return JSON.stringify(state);
}

function readState(text: string): JobState {
  const state = JSON.parse(text) as Omit<JobState, 'outputs'> & { outputs: WrittenOutput[] };
  return {
    ...state,
    outputs: state.outputs.map(readOutput),
  };
}

function readOutput({ original, expiresAt, ...output }: WrittenOutput): JobOutput {
  return {
    ...output,
    type: output.type ?? outputTypeOf(output),
    expiresAt: expiresAt === null ? null : new Date(expiresAt),
    ...(original === undefined ? {} : { original: readOutput(original) }),
  };
}
