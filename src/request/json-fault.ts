/** Where a text stops being JSON, and what is wrong there. Both from 1; a column is a character. */
export interface JsonFault {
  line: number;
  column: number;
  /** What was expected there; nothing of the text itself. */
  expected: string;
}

const VALUE = 'a value (text in double quotes, a number, true, false, null, { or [)';
const NAME = 'a name in double quotes';

const SPACE = /[ \t\n\r]*/y;
// oxlint-disable-next-line no-control-regex
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const SCALAR = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;

/**
 * Finds the first place at which a text breaks the grammar of JSON (RFC 8259). `JSON.parse` names none, or quotes the text.
 * @returns undefined where it keeps to the grammar
 */
export function findJsonFault(text: string): JsonFault | undefined {
  const fault = new Scanner(text).scan();
  if (fault === undefined) return undefined;
  const before = text.slice(0, fault.at);
  const lineStart = before.lastIndexOf('\n') + 1;
  let line = 1;
  for (let at = before.indexOf('\n'); at !== -1; at = before.indexOf('\n', at + 1)) line += 1;
  return { line, column: countCharacters(before, lineStart) + 1, expected: fault.expected };
}

interface Found {
  at: number;
  expected: string;
}

/** Walks through a text with a stack of its own, so that its depth costs memory only. */
class Scanner {
  private at = 0;
  /** The closing characters of what is open. */
  private readonly open: ('}' | ']')[] = [];

  constructor(private readonly text: string) {}

  scan(): Found | undefined {
    for (;;) {
      const fault = this.value() ?? this.afterValue();
      if (fault === 'next') continue;
      return fault === 'done' ? undefined : fault;
    }
  }

  /** A value: a scalar to its end, a list or an object to where its first value begins. */
  private value(): Found | undefined {
    for (;;) {
      const char = this.skip();
      if (char === '"') return this.string();
      if (char === '[' || char === '{') {
        const closing = char === '[' ? ']' : '}';
        this.at += 1;
        this.open.push(closing);
        if (this.skip() === closing) {
          this.open.pop();
          this.at += 1;
          return undefined;
        }
        if (closing === ']') continue;
        const fault = this.name();
        if (fault !== undefined) return fault;
        continue;
      }
      if (this.match(SCALAR)) return undefined;
      return this.fault(VALUE + this.hint(char));
    }
  }

  private name(): Found | undefined {
    const char = this.skip();
    if (char !== '"') return this.fault(NAME + this.hint(char));
    const fault = this.string();
    if (fault !== undefined) return fault;
    if (this.skip() !== ':') return this.fault('a colon after the name');
    this.at += 1;
    return undefined;
  }

  /** Closes what ends here. `next`: another value follows. */
  private afterValue(): Found | 'next' | 'done' {
    for (;;) {
      const char = this.skip();
      const closing = this.open.at(-1);
      if (closing === undefined) {
        return char === '' ? 'done' : this.fault('nothing more: the JSON ends before this');
      }
      if (char === closing) {
        this.open.pop();
        this.at += 1;
      } else if (char === ',') {
        this.at += 1;
        if (closing === '}') return this.name() ?? 'next';
        return 'next';
      } else return this.fault(`a comma or ${closing}`);
    }
  }

  private string(): Found | undefined {
    this.at += 1;
    for (;;) {
      this.match(PLAIN);
      const char = this.text[this.at];
      if (char === '"') {
        this.at += 1;
        return undefined;
      }
      if (char === '\\') {
        if (!this.match(ESCAPE)) {
          return this.fault(
            'one of \\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX (a backslash itself is written \\\\)',
          );
        }
      } else if (char === undefined) return this.fault('the closing double quote of a text');
      else return this.fault('a control character to be escaped: a line break in a text is written \\n');
    }
  }

  /** The next character that is no white space; empty at the end. */
  private skip(): string {
    this.match(SPACE);
    return this.text[this.at] ?? '';
  }

  private match(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    const found = pattern.test(this.text);
    if (found) this.at = pattern.lastIndex;
    return found;
  }

  private hint(char: string): string {
    if (char === "'" || char === '\u2018' || char === '\u2019') return '; single quotes are no JSON';
    if (char === '\u201c' || char === '\u201d') return '; curly quotes are no JSON';
    if (char === '}' || char === ']') return '; a comma before a closing bracket is no JSON';
    if (char === '/') return '; comments are no JSON';
    if (/[TFN]|I/.test(char)) return '; True, False, None, NaN and Infinity are no JSON';
    return '';
  }

  private fault(expected: string): Found {
    const end = this.at >= this.text.length;
    return { at: this.at, expected: end ? `${expected}, but it ends here` : expected };
  }
}

function countCharacters(text: string, from: number): number {
  let count = 0;
  for (let at = from; at < text.length; at += 1) {
    // The second half of a pair is part of the character before.
    const unit = text.charCodeAt(at);
    if (unit < 0xdc00 || unit > 0xdfff) count += 1;
  }
  return count;
}
