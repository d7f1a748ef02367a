import { isObject, type JsonObject } from '../types.js';

/**
 * What is bound to differ from run to run, made equal: the recorded prompt ids and file names are replaced by those of
 * this run, timestamps by a mark, numbers of prompts by their distance from the first one.
 */
export class Names {
  private readonly ids = new Map<string, string>();
  private readonly files = new Map<string, string>();
  private readonly first: { recorded?: number; actual?: number } = {};

  /** Pairs up what two replies to the same request call the same thing. */
  learn(recorded: unknown, actual: unknown, key = ''): void {
    if (Array.isArray(recorded) && Array.isArray(actual)) {
      for (const [index, each] of recorded.entries()) this.learn(each, actual[index], key);
    } else if (isObject(recorded) && isObject(actual)) {
      const actualKeys = Object.keys(actual);
      for (const [index, name] of Object.keys(recorded).entries()) {
        this.learn(recorded[name], actual[name] ?? actual[actualKeys[index] ?? ''], name);
      }
    } else if (typeof recorded === 'string' && typeof actual === 'string') {
      if (key === 'prompt_id') this.ids.set(recorded, actual);
      if (key === 'filename' || key === 'name') this.files.set(recorded, actual);
    } else if (key === 'number' && typeof recorded === 'number' && typeof actual === 'number') {
      this.first.recorded ??= Math.abs(recorded);
      this.first.actual ??= Math.abs(actual);
    }
  }

  /** A recorded path or text with this run's names in it. */
  inText(text: string): string {
    let out = text;
    for (const [recorded, actual] of [...this.ids, ...this.files]) out = out.replaceAll(recorded, actual);
    return out;
  }

  inBody<T>(body: T): T {
    return body === undefined ? body : (JSON.parse(this.inText(JSON.stringify(body))) as T);
  }

  /** A recorded document in a form that can be compared with `ofActual`. */
  ofRecorded(document: unknown): unknown {
    const named = JSON.parse(this.inIds(JSON.stringify(document))) as unknown;
    return canonical(named, this.first.recorded ?? 0);
  }

  ofActual(document: unknown): unknown {
    return canonical(document, this.first.actual ?? 0);
  }

  private inIds(text: string): string {
    let out = text;
    for (const [recorded, actual] of this.ids) out = out.replaceAll(recorded, actual);
    return out;
  }
}

const DATES = new Set(['timestamp', 'create_time', 'execution_start_time', 'execution_end_time']);

/** Bytes of the machine that was recorded. */
const MEMORY = /^(torch_)?v?ram_(total|free)$/;

/** Python writes a set in any order. */
const SETS = new Set(['executed', 'current_outputs']);
const COUNTER = /_\d{5}_\./;
const TEMPORARY = /^ComfyUI_temp_[a-z]{5}/;

function canonical(value: unknown, first: number, key = ''): unknown {
  if (Array.isArray(value)) {
    if (key === 'prompt' && value.length === 5) {
      const [number, ...rest] = value.map((each) => canonical(each, first));
      // The output nodes come from a set as well.
      const outputs = Array.isArray(rest[3])
        ? rest[3].map(String).sort((a, b) => a.localeCompare(b))
        : rest[3];
      return [distance(number as number, first), ...rest.slice(0, 3), outputs];
    }
    if (key === 'queue_running' || key === 'queue_pending') {
      return value.map((row) => canonical(row, first, 'prompt'));
    }
    const list = value.map((each) => canonical(each, first));
    return SETS.has(key) ? list.map(String).sort((a, b) => a.localeCompare(b)) : list;
  }
  if (isObject(value)) {
    const out: JsonObject = {};
    for (const [name, member] of Object.entries(value)) out[name] = canonical(member, first, name);
    return out;
  }
  if (DATES.has(key) || MEMORY.test(key)) return typeof value;
  if (key === 'number' && typeof value === 'number') return distance(value, first);
  if (key === 'filename' && typeof value === 'string') {
    return value.replace(COUNTER, '_#####_.').replace(TEMPORARY, 'ComfyUI_temp_?????');
  }
  return value;
}

/** A number the client gave itself is far below zero (22) and stays. */
function distance(number: number, first: number): number {
  return number === -100 ? number : Math.sign(number || 1) * (Math.abs(number) - first);
}
