import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Dialect } from '../dialect.js';
import type { Executor } from '../execution/executor.js';
import type { Worker } from '../execution/worker.js';
import type { Faults } from '../faults.js';
import type { Folders } from '../folders.js';
import type { ObjectInfo } from '../object-info.js';
import type { ResolvedOptions } from '../options.js';
import type { Timers } from '../timers.js';
import type { PromptValidator } from '../validation.js';

/** What the routes share. */
export interface Context {
  readonly options: ResolvedOptions;
  readonly dialect: Dialect;
  readonly folders: Folders;
  readonly info: ObjectInfo;
  readonly validator: PromptValidator;
  readonly executor: Executor;
  readonly worker: Worker;
  readonly faults: Faults;
  readonly timers: Timers;
}

/** One request on its way through a route. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly body: Buffer;
  /** What the path names: a prompt id, a node class, a model folder. */
  readonly name: string;
}

export type Route = (exchange: Exchange, context: Context) => void | Promise<void>;
