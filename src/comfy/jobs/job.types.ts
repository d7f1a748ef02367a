import type { StorageErrorCode, StoredFile } from '../../storage/index.js';
import type { ComfyErrorCode, NodeErrors } from '../comfy.error.js';
import type { RunProgress } from '../client/index.js';
import type { OutputPlace, Workflow } from '../workflow/index.js';

/** What a job is asked to do; checked already. */
export interface JobRequest {
  workflow: Workflow;
  /** Id of the node whose files are wanted; without it, see `chooseOutputNode`. */
  outputNode: string | undefined;
  /** −100 to 100; higher goes first. */
  priority: number;
  /** Who asks, for fair turns; any text. */
  caller: string;
}

/** A file of the output node, safe in storage. */
export interface JobOutput extends StoredFile {
  /** Node of the submitted workflow that made it. */
  node: string;
  place: OutputPlace;
  url: string;
  /** When `url` stops working; `null`: it does not. */
  expiresAt: Date | null;
}

export type JobStatus = 'queued' | 'running' | 'storing' | 'succeeded' | 'failed' | 'cancelled';

/** Why a job failed: a stable code, and words for the caller. */
export interface JobFailure {
  code: ComfyErrorCode | StorageErrorCode;
  message: string;
  nodeErrors?: NodeErrors;
  /** May the same job succeed a little later? */
  retryable: boolean;
}

/** Milliseconds since the epoch at which a job came to each station. */
export interface JobTimes {
  created: number;
  /** Given to a backend. */
  started?: number;
  /** The backend is done; the files are on their way into storage. */
  rendered?: number;
  finished?: number;
}

/** One try at a job that did not lead to its result. */
export interface JobAttempt {
  /** Name of the backend. */
  backend: string;
  /** Milliseconds since the epoch at which it was given up. */
  at: number;
  failure: JobFailure;
}

export interface JobPreview {
  node: string;
  mime: string;
  bytes: Uint8Array;
}

/** All there is to know about a job at one moment. */
export interface JobState {
  id: string;
  status: JobStatus;
  times: JobTimes;
  /** Name of the backend, for operators. */
  backend?: string;
  /** Tries that came to nothing before the current one, the oldest first. */
  attempts: readonly JobAttempt[];
  progress?: RunProgress;
  /** The newest preview; gone when the job ends. */
  preview?: JobPreview;
  /** Branches of the workflow that ComfyUI skipped (recording 16). */
  nodeErrors?: NodeErrors;
  /** In the order of the node's own list; complete when the status is `succeeded`. */
  outputs: readonly JobOutput[];
  failure?: JobFailure;
}

/** What can happen to a job. `at` is in milliseconds since the epoch. */
export type JobEvent =
  | { type: 'started'; at: number; backend: string }
  | { type: 'accepted'; nodeErrors: NodeErrors }
  | { type: 'progress'; progress: RunProgress }
  | { type: 'preview'; preview: JobPreview }
  | { type: 'rendered'; at: number }
  /** Given up on its backend, and in line again. */
  | { type: 'retried'; attempt: JobAttempt }
  | { type: 'succeeded'; at: number; outputs: readonly JobOutput[] }
  | { type: 'failed'; at: number; failure: JobFailure }
  | { type: 'cancelled'; at: number };
