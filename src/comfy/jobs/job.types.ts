import type { ConvertOptions } from '../../images/index.js';
import type { StorageErrorCode, StoredFile } from '../../storage/index.js';
import type { ComfyErrorCode, NodeErrors, NodeInput } from '../comfy.error.js';
import type { OutputsVia, RunProgress } from '../client/index.js';
import type { DrawnSeed } from '../inputs/index.js';
import type { MediaInput, OutputPlace, Workflow } from '../workflow/index.js';
import type { JobWarning } from './job-warning.js';
import type { OutputType } from './output-type.js';

/** What a job is asked to do; checked already. */
export interface JobRequest {
  workflow: Workflow;
  /** Inputs whose files are brought to the backend first. */
  media: readonly MediaInput[];
  /** Id of the node whose files are wanted; without it, see `chooseOutputNode`. */
  outputNode: string | undefined;
  /** Everything is wanted that the workflow makes, texts as well; then `outputNode` is undefined. */
  allOutputs: boolean;
  /** What a node only showed (`type: temp`) is wanted, too, where it saved something as well. @default false */
  includeTemp?: boolean | undefined;
  /** How pictures are to come; undefined: as the settings say. */
  outputsVia?: OutputsVia | undefined;
  /** −100 to 100; higher goes first. */
  priority: number;
  /** Who asks, for fair turns; any text. */
  caller: string;
  /** Seeds that were drawn for it; the workflow has them already. */
  seeds?: readonly DrawnSeed[] | undefined;
  /** What becomes of the images; without it they stay as they were made. */
  convert?: ConvertOptions | undefined;
  /** For the prompt's `extra_data`: keys of partner nodes. Never written down, so a restart of ours loses it. */
  extraData?: Record<string, string> | undefined;
  /** For the prompt's `extra_data` as `extra_pnginfo`: what save nodes write into their files. */
  pngInfo?: Record<string, unknown> | undefined;
  /** It had some, before a restart. */
  keysLost?: boolean;
}

/** A file that the job made, or a text as a file; safe in storage. */
export interface JobOutput extends StoredFile {
  /** UUID of the asset that it is. */
  id: string;
  /** Node of the submitted workflow that made it. */
  node: string;
  type: OutputType;
  /** Of a text that is short: the text itself. */
  text?: string;
  place: OutputPlace;
  /** What ComfyUI called it. */
  name: string;
  url: string;
  /** When `url` stops working; `null`: it does not. */
  expiresAt: Date | null;
  /** What it was converted from; absent where it is as it was made. */
  original?: JobOutput;
}

export type JobStatus = 'queued' | 'running' | 'storing' | 'succeeded' | 'failed' | 'cancelled';

/** Why a job failed: a stable code, and words for the caller. */
export interface JobFailure {
  code: ComfyErrorCode | StorageErrorCode | 'state_error';
  message: string;
  nodeErrors?: NodeErrors;
  /** The input it is about. */
  at?: NodeInput;
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
  /** The id of its prompt there, as we chose it: a UUID. */
  promptId?: string;
  /** How the pictures of the current try come, or those of the last one came; absent: nobody has looked yet, or as files. */
  outputsVia?: OutputsVia;
  /** Tries that came to nothing before the current one, the oldest first. */
  attempts: readonly JobAttempt[];
  progress?: RunProgress;
  /** Seeds that were drawn for the workflow; absent where it left none open. */
  seeds?: readonly DrawnSeed[];
  /** The newest preview; gone when the job ends. */
  preview?: JobPreview;
  /** Branches of the workflow that ComfyUI skipped (recording 16), or that failed while others did not. */
  nodeErrors?: NodeErrors;
  /** What went wrong without ending the job, in the order in which it happened; absent: nothing. */
  warnings?: readonly JobWarning[];
  /** As they come; complete, and in the order that `inOrder` says, when the status is `succeeded`; of a job that failed, what was made before. */
  outputs: readonly JobOutput[];
  failure?: JobFailure;
}

/** What can happen to a job. `at` is in milliseconds since the epoch. */
export type JobEvent =
  | { type: 'started'; at: number; backend: string; promptId: string }
  /** On record before its prompt is submitted: a later process must know whether frames were lost with this one. */
  | { type: 'way'; outputsVia: OutputsVia }
  | { type: 'accepted'; nodeErrors: NodeErrors }
  | { type: 'progress'; progress: RunProgress }
  | { type: 'preview'; preview: JobPreview }
  | { type: 'output'; output: JobOutput }
  /** A branch failed while the prompt ran, and what is wanted was made all the same. */
  | { type: 'branch_failed'; nodeErrors: NodeErrors; message: string }
  /** Something went wrong that does not end the job. */
  | { type: 'warned'; warning: JobWarning }
  | { type: 'rendered'; at: number }
  /** Given up on its backend, and in line again. */
  | { type: 'retried'; attempt: JobAttempt }
  /** In line again, and nobody failed: its prompt was not found again after a restart of ours. */
  | { type: 'requeued' }
  | { type: 'succeeded'; at: number; outputs: readonly JobOutput[] }
  /** `outputs`: made before the prompt failed, and kept. */
  | { type: 'failed'; at: number; failure: JobFailure; outputs?: readonly JobOutput[] }
  | { type: 'cancelled'; at: number };
