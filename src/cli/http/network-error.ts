import { CliError } from '../cli.error.js';
import { EXIT } from '../exit-codes.js';

/** What trying again does not change. */
const LASTING =
  /^(ENOTFOUND|CERT_|ERR_TLS|ERR_SSL|EPROTO|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HPE_|UND_ERR_REQ_|UND_ERR_INVALID)/;

/** The last ones are for what else undici calls so. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/^ECONNREFUSED$/, 'the connection is refused'],
  [/^(ENOTFOUND|EAI_AGAIN)$/, 'there is no such host'],
  [
    /^(ECONNRESET|EPIPE|ECONNABORTED|UND_ERR_SOCKET|UND_ERR_RES_CONTENT_LENGTH_MISMATCH)$/,
    'the connection broke',
  ],
  [/^(ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/, 'the connection took too long'],
  [/^UND_ERR_(HEADERS|BODY)_TIMEOUT$/, 'it does not answer'],
  [/^(EHOSTUNREACH|ENETUNREACH|ENETDOWN|EHOSTDOWN|EADDRNOTAVAIL)$/, 'there is no way to it'],
  [/^HPE_/, 'what answers there does not speak HTTP'],
  [
    /^(CERT_|ERR_TLS|ERR_SSL|EPROTO|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/,
    'its certificate or TLS is not accepted',
  ],
  [/^UND_ERR_REQ_CONTENT_LENGTH_MISMATCH$/, 'the file changed while it was sent'],
  [/^UND_ERR_/, 'the request failed'],
];

/** The code of an error of the network, which may be within another; undefined: it is something else. */
export function networkCode(error: unknown): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    // Several addresses were tried.
    if (at instanceof AggregateError) return networkCode(at.errors[0]) ?? codeOf(at);
    const code = codeOf(at);
    if (code !== undefined) return code;
  }
  return undefined;
}

/** Codes of files are not among them. */
function codeOf(error: Error): string | undefined {
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' && WORDS.some(([pattern]) => pattern.test(code)) ? code : undefined;
}

export function isLasting(code: string): boolean {
  return LASTING.test(code);
}

export function wordsFor(code: string): string {
  const [, words] = WORDS.find(([pattern]) => pattern.test(code)) ?? [];
  return words === undefined ? code : `${words} (${code})`;
}

export function unreachable(server: string, code: string, cause: unknown): CliError {
  return new CliError(
    EXIT.unavailable,
    { code: 'unreachable', detail: `The server at ${server} cannot be reached: ${wordsFor(code)}.` },
    'Is it running, and is --server (COMFY_SYNC_SERVER) right?',
    { cause },
  );
}
