import { isSafeNumber, parse, stringify } from 'lossless-json';

/**
 * `JSON.parse` that keeps integers beyond 2^53, as seeds are, as `bigint`.
 * @throws SyntaxError
 */
export function parseJson(text: string): unknown {
  // Its own errors are clearer, and most texts hold no long integer.
  const plain = JSON.parse(text) as unknown;
  if (!/\d{16}/.test(text)) return plain;
  return parse(text, undefined, (value) =>
    /^-?\d+$/.test(value) && !isSafeNumber(value) ? BigInt(value) : Number(value),
  );
}

/** `JSON.stringify` that writes `bigint` as the integer it is. */
export function stringifyJson(value: unknown): string {
  return stringify(value) ?? 'null';
}
