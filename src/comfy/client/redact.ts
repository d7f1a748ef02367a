const MAX_LENGTH = 1000;

/** Characters that are looked at: a node's message can quote an input of 8 Mi characters. */
const MAX_READ = 65_536;

/** One part of a path: words with single spaces between them, without what ends a path in a text. */
const POSIX_PART = String.raw`[^\s/\\'"\`<>|:,;()\[\]{}…]+(?: [^\s/\\'"\`<>|:,;()\[\]{}…]+){0,4}`;
const WINDOWS_PART = String.raw`[^\s/\\'"\`<>|:,;*?…]+(?: [^\s/\\'"\`<>|:,;*?…]+){0,4}`;
const LAST_PART = String.raw`[^\s/\\'"\`<>|:,;()\[\]{}]*`;

/** `file:///srv/…`, `/srv/ComfyUI/…`, `//srv/…`; not `and/or`, `a/b`, `https://host/x`, `./a/b`. */
const FILE_URL = /\bfile:\/{1,3}(?=[^\s/])/gi;
const POSIX_PATH = new RegExp(
  String.raw`(?:(?<![\w/.:\\])\/+|(?<=:)\/(?!\/))(?:${POSIX_PART}\/+)+(${LAST_PART})`,
  'g',
);
/** `C:\…`, `C:/…`, `\\server\share\…`, `\\?\C:\…`, each also with the backslashes doubled, as JSON has them. */
const WINDOWS_PATH = new RegExp(
  String.raw`(?:(?<!\w)[A-Za-z]:[\\/]+|(?<![\w\\])\\{2,4}(?:[?.]\\{1,2}(?:UNC\\{1,2}|[A-Za-z]:\\{1,2})?)?(?=[\w$]))(?:${WINDOWS_PART}[\\/]+)*(${LAST_PART})`,
  'g',
);

/**
 * Text of a ComfyUI without absolute paths of its machine: each loses all but its last part. What is taken for a path may be none; a
 * text that is about paths loses them.
 */
export function withoutPaths(text: string): string {
  if (!/[/\\]/.test(text)) return text;
  return text.replace(FILE_URL, '/').replace(WINDOWS_PATH, '…/$1').replace(POSIX_PATH, '…/$1');
}

/**
 * Text of a ComfyUI that is about to leave this house: without absolute paths, and cut where it is longer than 1,000 characters.
 * Messages of nodes are for people, and often name where the server keeps its models.
 */
export function redact(text: string): string {
  const whole = withoutPaths(text.slice(0, MAX_READ));
  // The last path may have been cut, so that a folder looks like its last part.
  const safe =
    text.length > MAX_READ && whole.length <= MAX_LENGTH
      ? `${whole.slice(0, Math.max(0, whole.lastIndexOf('…/')))}…`
      : whole;
  return safe.length > MAX_LENGTH ? `${safe.slice(0, MAX_LENGTH)}…` : safe;
}
