import { readdirSync, readFileSync } from 'node:fs';
import type { Version } from '../dialect.js';
import type { JsonObject } from '../types.js';

/** One line of a recording. */
export interface Item {
  t: number;
  dir: '>' | '<' | '#' | '!';
  kind:
    'http' | 'http-failure' | 'ws-open' | 'ws-text' | 'ws-binary' | 'ws-close' | 'note' | 'recorder-timeout';
  socket?: string;
  method?: string;
  path?: string;
  body?: JsonObject;
  rawBytes?: number;
  status?: number;
  headers?: Record<string, string>;
  json?: unknown;
  bytes?: number;
  base64?: string;
  text?: string;
}

const folder = (version: Version) => new URL(`../recordings/${version}/`, import.meta.url);

/** Names of all recordings of a version, without the extension. */
export function recordingsOf(version: Version): string[] {
  return readdirSync(folder(version))
    .filter((file) => file.endsWith('.jsonl'))
    .map((file) => file.slice(0, -'.jsonl'.length))
    .sort();
}

export function readRecording(version: Version, name: string): Item[] {
  return readFileSync(new URL(`${name}.jsonl`, folder(version)), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Item);
}
