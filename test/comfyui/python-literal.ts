import { noteNonFinite, PythonError } from './python.js';

const NAMES: Record<string, unknown> = {
  None: null,
  True: true,
  False: false,
  nan: NaN,
  inf: Infinity,
};

/** Words, numbers, strings and single punctuation marks of a Python literal. */
const TOKEN =
  /\s*(?:([A-Za-z_]\w*)|(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)|('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(\S))/gy;

/**
 * Evaluates a Python literal: None, True, False, nan, inf, numbers, strings, lists, tuples and dicts.
 * @throws PythonError SyntaxError
 */
export function evaluate(source: string): unknown {
  const reader = new Reader([...source.trimEnd().matchAll(TOKEN)].map((match) => match[0].trim()));
  const value = reader.value();
  reader.expectEnd();
  return value;
}

class Reader {
  private at = 0;

  constructor(private readonly tokens: readonly string[]) {}

  value(): unknown {
    const token = this.next();
    if (token === '[') return this.items(']');
    if (token === '(') return this.items(')');
    if (token === '{') return this.members();
    if (token === '-') return -(this.value() as number);
    if (/^['"]/.test(token)) return unescape(token.slice(1, -1));
    if (/^[.\d]/.test(token)) return Number(token);
    if (!Object.hasOwn(NAMES, token)) throw invalid();
    const value = NAMES[token];
    if (typeof value === 'number') noteNonFinite();
    return value;
  }

  expectEnd(): void {
    if (this.at < this.tokens.length) throw invalid();
  }

  private items(end: string): unknown[] {
    const items: unknown[] = [];
    while (!this.takes(end)) {
      items.push(this.value());
      if (!this.takes(',') && this.tokens[this.at] !== end) throw invalid();
    }
    return items;
  }

  private members(): Record<string, unknown> {
    const members: Record<string, unknown> = {};
    while (!this.takes('}')) {
      const key = String(this.value());
      if (!this.takes(':')) throw invalid();
      members[key] = this.value();
      if (!this.takes(',') && this.tokens[this.at] !== '}') throw invalid();
    }
    return members;
  }

  private next(): string {
    const token = this.tokens[this.at++];
    if (token === undefined) throw invalid();
    return token;
  }

  private takes(token: string): boolean {
    if (this.tokens[this.at] !== token) return false;
    this.at += 1;
    return true;
  }
}

const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', '0': '\0' };

function unescape(text: string): string {
  return text.replace(
    /\\(?:u([\da-fA-F]{4})|x([\da-fA-F]{2})|(.))/gs,
    (_, long?: string, short?: string, char?: string) =>
      char === undefined
        ? String.fromCharCode(Number.parseInt(long ?? short ?? '0', 16))
        : (ESCAPES[char] ?? char),
  );
}

function invalid(): PythonError {
  return new PythonError('SyntaxError', 'invalid syntax');
}
