/**
 * What makes a terminal or a reader see something else than was written: control characters, C1 ones among them (U+009B begins an
 * escape sequence by itself), line and paragraph separators, and marks that turn the direction of text (Unicode TR 9; CVE-2021-42574).
 */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** The same without those that JSON texts escape, and the line breaks between their parts. */
const UNPRINTABLE_IN_JSON = /[\u007f-\u009f\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** A frame of a stack, as V8 writes it. */
const FRAME = /^ {4}at .*(?::\d+:\d+|<anonymous>|native code|index \d+)\)?$/;

/** Characters of a text that are written. */
const MAX_LENGTH = 16_384;

/** The text in one line that shows every character of it: those in the way as JSON would escape them. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => SHORT[character] ?? escapeOf(character));
}

/** JSON text with the same values, and none of the characters in the way. @param json of `JSON.stringify` */
export function printableJson(json: string): string {
  return json.replace(UNPRINTABLE_IN_JSON, escapeOf);
}

/**
 * A text that may end in the frames of a stack, which keep their lines; the message before them gets one. Longer than 16,384 characters
 * it is cut.
 */
export function printableStack(text: string): string {
  const lines = shortened(text).trimEnd().split('\n');
  const ownEnd = lines.findLastIndex((line) => !FRAME.test(line)) + 1;
  return [printable(lines.slice(0, ownEnd).join('\n')), ...lines.slice(ownEnd).map(printable)].join('\n');
}

function shortened(text: string): string {
  const more = text.length - MAX_LENGTH;
  return more > 0 ? `${text.slice(0, MAX_LENGTH)}… (${more} more characters)` : text;
}

function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
