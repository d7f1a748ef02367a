/** The few things of Python that show through ComfyUI's answers: its conversions, its error texts, its JSON. */

/** An exception as Python would name it; everything a node or a check throws on purpose is one of these. */
export class PythonError extends Error {
  constructor(
    readonly type: string,
    message: string,
    /** Where it was raised: the last frame of the traceback. */
    readonly raisedAt?: string,
  ) {
    super(message);
  }
}

/** Marks a number that JSON does not have; `NUL` keeps it apart from every text that a test writes. */
const NON_FINITE = '\0number:';

/** Until such a number came in, the plain `JSON.stringify` is right, and several times faster. */
let nonFiniteSeen = false;

export function noteNonFinite(): void {
  nonFiniteSeen = true;
}

/**
 * JSON as Python's `json.dumps` writes it where a number is `NaN`, `Infinity` or `-Infinity`: as that bare word. Otherwise as
 * `JSON.stringify`.
 */
export function stringify(value: unknown): string {
  if (!nonFiniteSeen) return JSON.stringify(value);
  const text = JSON.stringify(value, mark);
  return text.includes('\\u0000number:') ? text.replace(/"\\u0000number:(-?\w+)"/g, '$1') : text;
}

function mark(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? `${NON_FINITE}${value}` : value;
}

/** JSON as Python's `json.loads` reads it, which takes `NaN`, `Infinity` and `-Infinity`. @throws SyntaxError */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const marked = text.replace(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (token) =>
      token.startsWith('"') ? token : `"\\u0000number:${token}"`,
    );
    if (marked === text) throw error;
    noteNonFinite();
    return JSON.parse(marked, (_key, value: unknown) =>
      typeof value === 'string' && value.startsWith(NON_FINITE)
        ? Number(value.slice(NON_FINITE.length))
        : value,
    );
  }
}

/** `json.dumps`: a space after comma and colon, everything outside ASCII escaped (tEXt chunks are Latin-1). */
export function dumps(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(dumps).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(([key, member]) => `${dumps(key)}: ${dumps(member)}`);
    return `{${members.join(', ')}}`;
  }
  const text = JSON.stringify(value) ?? 'null';
  return text.replace(/[\u0080-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** `repr` of what can be in a JSON document. */
export function repr(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') {
    return value.includes("'") && !value.includes('"') ? `"${value}"` : `'${value.replaceAll("'", "\\'")}'`;
  }
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`;
  if (typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([key, member]) => `${repr(key)}: ${repr(member)}`)
      .join(', ')}}`;
  }
  return JSON.stringify(value) ?? 'None';
}

/** `str` of what can be in a JSON document. */
export function str(value: unknown): string {
  return typeof value === 'string' ? value : repr(value);
}

function typeName(value: unknown): string {
  if (value === null || value === undefined) return 'NoneType';
  if (Array.isArray(value)) return 'list';
  return typeof value === 'object' ? 'dict' : typeof value;
}

/** `int(value)` */
export function int(value: unknown): number {
  if (typeof value === 'number') return Math.trunc(value);
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'string') {
    if (/^\s*[+-]?\d+\s*$/.test(value)) return Number(value);
    throw new PythonError('ValueError', `invalid literal for int() with base 10: ${repr(value)}`);
  }
  throw new PythonError(
    'TypeError',
    `int() argument must be a string, a bytes-like object or a real number, not '${typeName(value)}'`,
  );
}

/** `float(value)` */
export function float(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'string') {
    const number = Number(value);
    if (value.trim() !== '' && !Number.isNaN(number)) return number;
    throw new PythonError('ValueError', `could not convert string to float: ${repr(value)}`);
  }
  throw new PythonError(
    'TypeError',
    `float() argument must be a string or a real number, not '${typeName(value)}'`,
  );
}

/** `bool(value)` */
export function bool(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}
