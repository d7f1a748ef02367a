/** The scripts of characters that UTF-8 writes in two bytes, by the last code point of each block. Marks and signs have none. */
const SCRIPTS: readonly (readonly [last: number, script: string | undefined])[] = [
  [0xbf, undefined],
  [0x2af, 'Latin'],
  [0x36f, undefined],
  [0x3ff, 'Greek'],
  [0x52f, 'Cyrillic'],
  [0x58f, 'Armenian'],
  [0x5ff, 'Hebrew'],
  [0x6ff, 'Arabic'],
  [0x74f, 'Syriac'],
  [0x77f, 'Arabic'],
  [0x7bf, 'Thaana'],
  [0x7ff, 'NKo'],
];

/** What UTF-8 writes in three bytes or more: whoever sends it sends UTF-8. */
const LONGER = /[\u0800-\uffff]/;
const RUN = /[\u0080-\u07ff]{2,}/g;

/**
 * Does text that is valid UTF-8 look like GBK? A few Chinese words have the same bytes as letters of two scripts side by side
 * (一只猫 is `һֻè`), which nobody writes. Every character is two bytes there, the second one from A1 on (GB 2312).
 */
export function looksLikeGbk(text: string): boolean {
  if (LONGER.test(text)) return false;
  let mixed = false;
  for (const [run] of text.matchAll(RUN)) {
    const points = Array.from(run, (char) => char.codePointAt(0) ?? 0);
    if (points.some((point) => (point & 0x3f) < 0x21)) return false;
    mixed ||= new Set(points.map(scriptOf).filter((script) => script !== undefined)).size > 1;
  }
  return mixed;
}

function scriptOf(point: number): string | undefined {
  return SCRIPTS.find(([last]) => point <= last)?.[1];
}
