import { randomUUID } from 'node:crypto';
import { stringify } from 'lossless-json';
import { type JsonScan, scanJson } from './json-scan.js';

/**
 * `JSON.parse` that keeps long integers as `bigint`. ComfyUI's seeds go up to 2^64 − 1 (recording 18, `KSampler`);
 * a plain `JSON.parse` would round them and so paint another picture than the one asked for.
 * @param scan of the same text, where it was scanned already
 * @throws SyntaxError
 */
export function parseJson(text: string, scan: JsonScan = scanJson(text)): unknown {
  const { longIntegers } = scan;
  if (longIntegers.length === 0) return JSON.parse(text) as unknown;
  // Parsed as texts that begin with what nobody can know, and then put right: a parser in JavaScript takes a hundred times as long.
  const mark = `${randomUUID()}:`;
  const pieces: string[] = [];
  let done = 0;
  for (let index = 0; index < longIntegers.length; index += 2) {
    const [start = 0, end = 0] = longIntegers.slice(index, index + 2);
    pieces.push(text.slice(done, start), '"', mark, text.slice(start, end), '"');
    done = end;
  }
  pieces.push(text.slice(done));
  const root = { value: JSON.parse(pieces.join('')) as unknown };
  putRight(root, mark);
  return root.value;
}

/** With a stack of its own: what ComfyUI answers has no limit of depth. */
function putRight(root: object, mark: string): void {
  const stack: object[] = [root];
  for (let holder = stack.pop(); holder !== undefined; holder = stack.pop()) {
    for (const [key, value] of Object.entries(holder) as [string, unknown][]) {
      if (typeof value === 'object' && value !== null) stack.push(value);
      else if (typeof value === 'string' && value.startsWith(mark)) {
        // Also `__proto__` is a name like any other.
        const fixed = {
          value: integerOf(value.slice(mark.length)),
          writable: true,
          enumerable: true,
          configurable: true,
        };
        Object.defineProperty(holder, key, fixed);
      }
    }
  }
}

/** @throws SyntaxError for what JSON does not allow: a zero in front */
function integerOf(digits: string): number | bigint {
  if (/^-?0\d/.test(digits)) throw new SyntaxError('A number may not begin with a zero');
  const number = Number(digits);
  return String(number) === digits ? number : BigInt(digits);
}

/** `JSON.stringify` that writes `bigint` as the integer it is. */
export function stringifyJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return stringify(value) ?? 'null';
  }
}
