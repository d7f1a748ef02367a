import type { Version } from './dialect.js';

/** How a stand-in is set up; all of it is per instance, so that two can live in one process. */
export interface StandinOptions {
  /** Port to listen on; 0 takes a free one. @default 0 */
  port?: number;
  /** @default '127.0.0.1' */
  host?: string;
  /** The recorded server it speaks as: of January 2025, October 2025 or January 2026. @default '0.3.64' */
  version?: Version;
  /**
   * Beside its version, what servers after 0.8.0 do, as their source says: `POST /api/jobs/{id}/cancel`, only canonical prompt ids,
   * `missing_node_type`, and outputs with `metadata` and `id`. Not in any recording. @default false
   */
  newer?: boolean;
  /** As `--disable-api-nodes`: 0.8.0 then puts a Content-Security-Policy on every answer (38). @default false */
  apiNodesDisabled?: boolean;
  /** Bytes of a body, and of the file in a form, at most (33). @default 104857600 */
  maxUploadSize?: number;
  /** The same as version 0.3.11. @default false */
  legacy?: boolean;
  /** Keep encoded pictures and folder counters in memory, so that a benchmark measures the gateway and not the encoder. @default false */
  zeroWork?: boolean;
  /** Extra ms for every node that executes. @default 0 */
  nodeDelayMs?: number;
  /** Extra ms for every step of KSampler. @default 0 */
  stepDelayMs?: number;
  /** Extra ms for a node that needs a checkpoint while it is not in memory (19a: twenty seconds). @default 0 */
  modelLoadMs?: number;
  /** Checkpoints that fit into memory; the least recently used one is dropped for another. Not in any recording. @default Infinity */
  modelsInMemory?: number;
  /** Ms between `execution_success` and the history entry, which `executing {node: null}` follows (24). @default 0 */
  historyDelayMs?: number;
  /** Ms by which the reply to `POST /prompt` trails the queueing; the run starts at once. @default 0, legacy 2 (old 05a, 08, 13: events before the reply) */
  replyDelayMs?: number;
  /** Microseconds that listing one file costs a save node, as in a folder that has served for months. @default 0 */
  listingCostPerFileUs?: number;
  /** Files pretended to be in the output folder itself (not in its sub-folders) already. @default 0 */
  agedFiles?: number;
  /** Order of independent output nodes. In Python it is the order of a set and changes from process to process (03 of both). @default 'ascending', legacy 'descending' */
  outputOrder?: 'ascending' | 'descending';
  /** Checkpoints on disk. @default those of the recorded server: one, legacy none */
  checkpoints?: readonly string[];
  /** Classes that it does not have, as servers whose extensions are missing or that are older than they are. @default [] */
  missingNodes?: readonly string[];
  /** Ask every HTTP request and WebSocket for a token as a reverse proxy would; 401 without. Not in any recording. */
  token?: { header: string; value: string } | { query: string; value: string };
  /** Answer only below this path, as behind a reverse proxy, e.g. `/comfy`. Not in any recording. @default '' */
  basePath?: string;
  /** Results kept beyond the current prompt, as with `--cache-lru N`; 0: only those it can use. @default 0 */
  cacheLru?: number;
  /** Folder to hold `input`, `output` and `temp`. @default a new one under the system's temp folder, removed by `stop()` */
  dataDir?: string;
  /** Entries kept in `requests` and in `executed`, oldest dropped first. @default 2000 */
  journalSize?: number;
}

export type ResolvedOptions = Required<Omit<StandinOptions, 'token' | 'dataDir'>> &
  Pick<StandinOptions, 'token' | 'dataDir'>;

export function resolveOptions(options: StandinOptions): ResolvedOptions {
  const version = options.version ?? (options.legacy ? '0.3.11' : '0.3.64');
  const legacy = version === '0.3.11';
  return {
    port: 0,
    host: '127.0.0.1',
    newer: false,
    apiNodesDisabled: false,
    maxUploadSize: 104857600,
    zeroWork: false,
    nodeDelayMs: 0,
    stepDelayMs: 0,
    modelLoadMs: 0,
    modelsInMemory: Infinity,
    historyDelayMs: 0,
    replyDelayMs: legacy ? 2 : 0,
    listingCostPerFileUs: 0,
    agedFiles: 0,
    outputOrder: legacy ? 'descending' : 'ascending',
    checkpoints: version !== '0.3.64' ? [] : ['random-sd15.safetensors'],
    missingNodes: [],
    cacheLru: 0,
    basePath: '',
    journalSize: 2000,
    ...options,
    version,
    legacy,
  };
}
