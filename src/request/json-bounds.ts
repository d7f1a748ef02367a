import { isAscii } from 'node:buffer';
import { type JsonLimits, type JsonScan, scanJson } from '../comfy/index.js';
import { ProblemException } from '../problem/index.js';

const MIB = 1024 * 1024;

/**
 * Bounds of JSON from callers, so that none takes the event loop for more than 100 ms. A workflow of 1,000 nodes has about 60,000 values
 * and names, in 1 MiB; names are those of inputs, 64-bit integers have 20 digits.
 */
export const JSON_LIMITS: JsonLimits = {
  depth: 64,
  values: 200_000,
  digits: 400,
  name: 1_000,
  outside: 4 * MIB,
  escapes: 500_000,
};

/** Bytes of text that is not ASCII, in slices: such text takes ten times as long to decode as base64. */
const OTHER_BYTES = 4 * MIB;
const SLICE_BYTES = 64 * 1024;

const DETAILS: Readonly<Record<keyof JsonLimits, string>> = {
  depth: `The body nests deeper than ${JSON_LIMITS.depth} levels.`,
  values: `The body holds more than ${JSON_LIMITS.values} values and names.`,
  digits: `A number in the body has more than ${JSON_LIMITS.digits} characters.`,
  name: `A name in the body has more than ${JSON_LIMITS.name} characters.`,
  outside: `The body holds more than ${JSON_LIMITS.outside / MIB} MiB beside its texts: white space, numbers, structure.`,
  escapes: `The texts of the body hold more than ${JSON_LIMITS.escapes} escape sequences.`,
};

const TOO_LARGE = new Set<keyof JsonLimits>(['values', 'outside', 'escapes']);

/** Looks at JSON before it is parsed. @throws ProblemException `invalid_request` · `payload_too_large` */
export function scanBounded(text: string): JsonScan {
  const scan = scanJson(text, JSON_LIMITS);
  const { exceeded } = scan;
  if (exceeded === undefined) return scan;
  throw new ProblemException(
    TOO_LARGE.has(exceeded) ? 'payload_too_large' : 'invalid_request',
    DETAILS[exceeded],
  );
}

/** @throws ProblemException `payload_too_large` */
export function expectMostlyAscii(bytes: Buffer): void {
  let others = 0;
  for (let at = 0; bytes.length > OTHER_BYTES && at < bytes.length; at += SLICE_BYTES) {
    if (!isAscii(bytes.subarray(at, at + SLICE_BYTES))) others += SLICE_BYTES;
  }
  if (others <= OTHER_BYTES) return;
  throw new ProblemException(
    'payload_too_large',
    `The body holds more than ${OTHER_BYTES / MIB} MiB of text that is not ASCII.`,
  );
}
