import { randomUUID } from 'node:crypto';

/** An integer of 16 digits or more, as seeds are: doubles hold integers exactly only up to 2^53. */
const LONG_INTEGER = /[:[,\s]-?\d{16}/;

/** What Python writes for a value and JSON does not know, or a long integer; only where a value may stand. */
const ODD_VALUE = /-?(?:NaN|Infinity|\d{16,})(?=\s*(?:[,\]}]|$))/y;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const BYTE_ORDER_MARK = 0xfeff;

export interface PythonJsonOptions {
  /** Keep integers beyond 2^53 as `bigint`. Otherwise they are rounded, as `JSON.parse` does. @default false */
  exactIntegers?: boolean;
}

/**
 * Parses JSON as Python's `json` module writes it: `NaN`, `Infinity` and `-Infinity` are values, and a byte order mark is
 * skipped. `JSON.parse` comes first; the slower reader runs only for what that cannot read.
 * @throws SyntaxError where the text is not that, either
 */
export function parsePythonJson(text: string, { exactIntegers = false }: PythonJsonOptions = {}): unknown {
  const json = text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text;
  const long = exactIntegers && LONG_INTEGER.test(json);
  if (!long) {
    try {
      return JSON.parse(json) as unknown;
    } catch {
      // Python's own values may be in it.
    }
  }
  // Nobody can write a string that is taken for a value: its beginning is new each time.
  const tag = `${randomUUID()}:`;
  return JSON.parse(tagOddValues(json, tag, long), (_key, value: unknown) =>
    typeof value === 'string' && value.startsWith(tag) ? oddValue(value.slice(tag.length)) : value,
  ) as unknown;
}

/**
 * The text of a value as Python's JSON has it, without spaces: `NaN`, and long integers, stay what they are.
 * @throws RangeError for what is nested too deeply
 */
export function stringifyPythonJson(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return `[${value.map(stringifyPythonJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(
      ([key, member]) => `${JSON.stringify(key)}:${stringifyPythonJson(member)}`,
    );
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

/** Replaces each odd value outside of strings by a string that begins with `tag`. */
function tagOddValues(json: string, tag: string, longIntegers: boolean): string {
  let result = '';
  let copied = 0;
  for (let at = 0; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(json, at);
    } else if (mayBeginOddValue(code) && !continuesToken(json, at)) {
      ODD_VALUE.lastIndex = at;
      const [value] = ODD_VALUE.exec(json) ?? [];
      if (value === undefined || (!longIntegers && /\d/.test(value))) continue;
      result += `${json.slice(copied, at)}"${tag}${value}"`;
      at += value.length - 1;
      copied = at + 1;
    }
  }
  return result + json.slice(copied);
}

/** @returns the index of the closing quote, or the length of the text */
function endOfString(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); end !== -1; end = json.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (json.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
  return json.length;
}

function mayBeginOddValue(code: number): boolean {
  return code === MINUS || code === 0x4e /* N */ || code === 0x49 /* I */ || isDigit(code);
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Does the character belong to a token that began before it, as the second digit of a number does? */
function continuesToken(json: string, at: number): boolean {
  return at > 0 && /[\w.+-]/.test(json.charAt(at - 1));
}

function oddValue(text: string): number | bigint {
  if (text.endsWith('NaN')) return NaN;
  if (text.endsWith('Infinity')) return text.startsWith('-') ? -Infinity : Infinity;
  const integer = BigInt(text);
  const number = Number(integer);
  return Number.isSafeInteger(number) ? number : integer;
}
