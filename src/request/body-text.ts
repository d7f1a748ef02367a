import { isUtf8 } from 'node:buffer';
import { ProblemException } from '../problem/index.js';
import { looksLikeGbk } from './gbk-guess.js';

/** How clients that wrote another encoding send UTF-8. Part of several messages. */
export const SEND_UTF8 =
  'Send UTF-8. With curl: save the JSON as a UTF-8 file and send it with --data-binary @file.json (in cmd run chcp 65001 first). ' +
  'In Windows PowerShell: -Body ([Text.Encoding]::UTF8.GetBytes($json)) -ContentType "application/json; charset=utf-8"; PowerShell 7 sends UTF-8 by itself. ' +
  'Or name the encoding, such as Content-Type: application/json; charset=gbk.';

/** Charsets whose bytes are read as UTF-8: UTF-8 itself, and ASCII, which is a part of it. */
const UTF8_LABELS = new Set(['utf-8', 'utf8', 'unicode-1-1-utf-8', 'us-ascii', 'ascii']);

const BOM = '\uFEFF';

/**
 * The text of a body. A byte order mark at its start is left out.
 * @param contentType the `Content-Type` header; where it names a charset that is known (WHATWG Encoding), the bytes are read so
 * @param what the subject of the message: the body, or one field of a form
 * @throws ProblemException `invalid_request` where the bytes are not of that encoding, UTF-8 where none is named;
 * `unsupported_media_type` where the charset is not known
 */
export function readText(bytes: Buffer, contentType = '', what = 'The body'): string {
  const charset = charsetOf(contentType);
  return charset === undefined || UTF8_LABELS.has(charset)
    ? readUtf8(bytes, what)
    : decode(bytes, charset, what);
}

/** JSON has no NUL byte, and UTF-16 has one for each letter of ASCII. */
function readUtf8(bytes: Buffer, what: string): string {
  if (!isUtf8(bytes)) throw new ProblemException('invalid_request', `${what} is not UTF-8. ${SEND_UTF8}`);
  if (bytes.includes(0)) {
    throw new ProblemException(
      'invalid_request',
      `${what} is not UTF-8: it holds NUL bytes, as UTF-16 does. ${SEND_UTF8}`,
    );
  }
  const text = bytes.toString('utf8');
  if (text.length < bytes.length && looksLikeGbk(text)) {
    throw new ProblemException(
      'invalid_request',
      `${what} is not UTF-8, as it seems: its words mix several scripts, and read as GBK they are Chinese. ${SEND_UTF8}`,
    );
  }
  return withoutBom(text);
}

/** The text without the byte order mark that some editors put before it. */
export function withoutBom(text: string): string {
  return text.startsWith(BOM) ? text.slice(1) : text;
}

function decode(bytes: Buffer, charset: string, what: string): string {
  let decoder: InstanceType<typeof TextDecoder>;
  try {
    // `utf-16` alone means little endian there; the mark at the start knows better (RFC 2781, 4.3).
    const bigEndian = charset === 'utf-16' && bytes[0] === 0xfe && bytes[1] === 0xff;
    decoder = new TextDecoder(bigEndian ? 'utf-16be' : charset, { fatal: true });
  } catch {
    throw new ProblemException(
      'unsupported_media_type',
      'The charset in the Content-Type header is not known. Send UTF-8: Content-Type: application/json; charset=utf-8.',
    );
  }
  try {
    return decoder.decode(bytes);
  } catch {
    throw new ProblemException(
      'invalid_request',
      `${what} is not in the charset that its Content-Type header names. ${SEND_UTF8}`,
    );
  }
}

/** Lower case; undefined where the header names none. */
function charsetOf(contentType: string): string | undefined {
  const named = /;\s*charset\s*=\s*(?:"([^"]*)"|([^\s;"]+))/i.exec(contentType);
  const charset = (named?.[1] ?? named?.[2] ?? '').trim().toLowerCase();
  return charset === '' ? undefined : charset;
}
