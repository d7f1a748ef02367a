/** What a JSON text holds, as far as it decides how much work it is. */
export interface JsonScan {
  /** Where integers stand that a double may not hold: `[start, end)`, one pair after the other. */
  longIntegers: number[];
  /** The first limit that is exceeded; undefined: none. What follows was not looked at. */
  exceeded: keyof JsonLimits | undefined;
}

/** Limits of a JSON text. */
export interface JsonLimits {
  /** Lists and objects within each other. */
  depth: number;
  /** Values, those within others included, and the names of objects. */
  values: number;
  /** Characters of a number. */
  digits: number;
  /** Characters of the name of a value. */
  name: number;
  /** Characters outside texts: structure, numbers, white space. */
  outside: number;
  /** Escape sequences in texts. */
  escapes: number;
}

/** Integers below this many digits are safe: doubles hold those up to 2^53 exactly. */
const SAFE_DIGITS = 15;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/**
 * Looks at a JSON text without parsing it. Texts in it are skipped as a whole, so that 32 MiB of base64 take a few milliseconds. What is
 * no JSON gives any result.
 */
export function scanJson(text: string, limits?: JsonLimits): JsonScan {
  const longIntegers: number[] = [];
  let depth = 0;
  let values = 1;
  let outside = 0;
  let escapes = 0;
  let backslash = -1;
  const over = (name: keyof JsonLimits): JsonScan => ({ longIntegers, exceeded: name });
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charCodeAt(at);
    outside += 1;
    if (limits !== undefined && outside > limits.outside) return over('outside');
    if (char === QUOTE) {
      const start = at;
      const end = endOfText(text, at, limits?.escapes);
      if (end < 0) return over('escapes');
      at = end;
      if (limits === undefined) continue;
      if (end - start > limits.name && isBeforeColon(text, end + 1)) return over('name');
      // Looked for once: each search goes to the next one, wherever it is.
      if (backslash < start) backslash = nextBackslash(text, start);
      while (backslash < end) {
        escapes += 1;
        if (escapes > limits.escapes) return over('escapes');
        backslash = nextBackslash(text, backslash + 2);
      }
    } else if (char === COMMA || char === COLON) values += 1;
    else if (char === 0x5b || char === 0x7b) {
      depth += 1;
      values += 1;
      if (limits !== undefined && depth > limits.depth) return over('depth');
    } else if (char === 0x5d || char === 0x7d) depth -= 1;
    else if (char === MINUS || (char >= ZERO && char <= NINE)) {
      const end = endOfNumber(text, at);
      const length = end - at;
      if (limits !== undefined && length > limits.digits) return over('digits');
      if (length > SAFE_DIGITS && isInteger(text, at, end)) {
        longIntegers.push(at, end);
        // Each costs as much as ten others.
        values += 9;
      }
      outside += length - 1;
      at = end - 1;
    }
    if (limits !== undefined && values > limits.values) return over('values');
  }
  return { longIntegers, exceeded: undefined };
}

/** @returns the place of the closing quote, or the end of the text; negative: so many quotes are escaped */
function endOfText(text: string, start: number, most = Infinity): number {
  let end = start;
  for (let quotes = 0; quotes <= most; quotes += 1) {
    end = text.indexOf('"', end + 1);
    if (end < 0) return text.length;
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) before -= 1;
    if ((end - before) % 2 === 1) return end;
  }
  return -1;
}

function nextBackslash(text: string, from: number): number {
  const found = text.indexOf('\\', from);
  return found < 0 ? text.length : found;
}

function isBeforeColon(text: string, at: number): boolean {
  let next = at;
  while (/\s/.test(text.charAt(next))) next += 1;
  return text.charCodeAt(next) === COLON;
}

function endOfNumber(text: string, start: number): number {
  let end = start + 1;
  while (end < text.length && isOfNumber(text.charCodeAt(end))) end += 1;
  return end;
}

function isOfNumber(char: number): boolean {
  return (
    (char >= ZERO && char <= NINE) ||
    char === 0x2e ||
    char === 0x2b ||
    char === MINUS ||
    (char | 0x20) === 0x65
  );
}

function isInteger(text: string, start: number, end: number): boolean {
  for (let at = text.charCodeAt(start) === MINUS ? start + 1 : start; at < end; at += 1) {
    const char = text.charCodeAt(at);
    if (char < ZERO || char > NINE) return false;
  }
  return true;
}
