import { isSafeNumber, parse, stringify } from 'lossless-json';

/** An integer of 16 digits or more, as seeds are: doubles hold integers exactly only up to 2^53. */
const LONG_INTEGER = /[:[,\s]-?\d{16,}/;

/**
 * `JSON.parse` that keeps long integers as `bigint`. ComfyUI's seeds go up to 2^64 − 1 (recording 18, `KSampler`);
 * a plain `JSON.parse` would round them and so paint another picture than the one asked for.
 * @throws SyntaxError
 */
export function parseJson(text: string): unknown {
  if (!LONG_INTEGER.test(text)) return JSON.parse(text) as unknown;
  return parse(text, undefined, (value) =>
    /^-?\d+$/.test(value) && !isSafeNumber(value) ? BigInt(value) : Number(value),
  );
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
