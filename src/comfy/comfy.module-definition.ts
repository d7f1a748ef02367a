import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { BackendAddress } from '../config/index.js';
import type { CircuitRules, RunDeadlines } from './backends/index.js';
import type { ClientLimits, OutputsVia } from './client/index.js';
import type { FetchLimits } from './inputs/index.js';

/** What the engine needs to know. */
export interface ComfyOptions {
  /** The ComfyUI servers, at least one; `parseComfyuiServer` reads one from text. */
  backends: BackendAddress[];
  /** Prompts that one ComfyUI holds at once, running and waiting. @default 2 */
  slots?: number;
  /** Jobs that may wait for a free ComfyUI. @default 1000 */
  maxQueue?: number;
  /** Save each job into a folder of its own on ComfyUI's disk. @default true */
  jobFolders?: boolean;
  /** Pass on absolute paths, `..` and `[output]`, `[temp]` in the inputs of loaders and save nodes. @default false */
  allowHostPaths?: boolean;
  /** Delete a job from ComfyUI's history once its files are safe. @default true */
  deleteHistory?: boolean;
  /** How pictures come where a job does not say: as files, or over ComfyUI's socket where it can. @default 'files' */
  outputsVia?: OutputsVia;
  /** Milliseconds that jobs wait while no backend is usable. @default 30000 */
  noBackendAfterMs?: number;
  /** Tries at a job whose backend is lost. @default 3 */
  maxAttempts?: number;
  /** Milliseconds that a job keeps away from a backend it was lost on, while there are others. @default 1000 */
  avoidMs?: number;
  /** How long a run may take. @default RUN_DEADLINES */
  deadlines?: RunDeadlines;
  /** When a backend rests, and for how long. @default CIRCUIT_RULES */
  circuit?: CircuitRules;
  /** Leave the workflow out of what is stored. @default false */
  stripMetadata?: boolean;
  /** Milliseconds for which a rendered file is tried again to be stored. @default 60000 */
  storeRetryMs?: number;
  /** Milliseconds that running jobs have to end when the application stops. @default 25000 */
  shutdownGraceMs?: number;
  /** Milliseconds that ended jobs are remembered, with their files, where `StateModule` has a folder. @default for ever */
  retentionMs?: number | undefined;
  /** How files are fetched that workflows name by URL. @default FETCH_LIMITS */
  fetch?: FetchLimits;
  /** An API-format workflow that a backend has to run before it gets jobs. */
  warmUpWorkflow?: unknown;
  /** Time limits towards ComfyUI. @default CLIENT_LIMITS */
  limits?: ClientLimits | undefined;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN: COMFY_OPTIONS } =
  new ConfigurableModuleBuilder<ComfyOptions>()
    .setClassMethodName('forRoot')
    // One engine an application: its faces find it without importing it each.
    .setExtras({ isGlobal: true }, (definition, { isGlobal }) => ({ ...definition, global: isGlobal }))
    .build();
