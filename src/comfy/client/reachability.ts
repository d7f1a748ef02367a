import { BackendError } from './backend.error.js';

/** Why a server cannot be used. Neither text names an address, a credential or what the server said. */
export interface Unreachable {
  /** A few words, for callers. */
  short: string;
  /** The same as a sentence, and what to do, for operators. */
  message: string;
  /** Does nobody listen there, also behind a proxy? See `BackendError.refused`. */
  refused: boolean;
}

/** What answered to `GET /system_stats`. */
export interface Probe {
  status: number;
  /** Is the body a web page? */
  html: boolean;
  /** Is the body what ComfyUI writes? */
  comfyui: boolean;
}

type Reason = readonly [short: string, advice: string];

const TRUST =
  'Start this server with NODE_EXTRA_CA_CERTS=/path/to/ca.pem, the certificate of the authority that issued it, or the certificate itself.';
const CREDENTIALS =
  'Credentials for a proxy in front of ComfyUI go into COMFYUI_SERVER (https://user:password@host/, ?token=) or COMFYUI_HEADERS.';
const UNTRUSTED: Reason = ['the certificate is not trusted', TRUST];
const NO_ROUTE: Reason = [
  'there is no route to the host',
  'Check the host in COMFYUI_SERVER, and the network.',
];
const NO_TLS: Reason = ['it does not speak TLS', 'Write http:// in COMFYUI_SERVER, or check the port.'];
const ODD: Reason = [
  'it does not speak HTTP',
  'Check the port in COMFYUI_SERVER; write https:// where it speaks TLS.',
];
const SILENT: Reason = [
  'no answer in time',
  'Check the host and the port in COMFYUI_SERVER, firewalls, and whether ComfyUI hangs.',
];

/** By the code of the error of a connection (Node, OpenSSL, undici, llhttp). */
const REASONS: Readonly<Record<string, Reason>> = {
  ECONNREFUSED: [
    'connection refused',
    'Nothing listens there. Check that ComfyUI runs, that the port in COMFYUI_SERVER is its own (8188 by default), and that it listens on that address (--listen).',
  ],
  ENOTFOUND: ['unknown host name', 'Check the host in COMFYUI_SERVER.'],
  EAI_AGAIN: ['the host name cannot be resolved', 'The name server does not answer. Check the network.'],
  EHOSTUNREACH: NO_ROUTE,
  ENETUNREACH: NO_ROUTE,
  ENETDOWN: NO_ROUTE,
  ETIMEDOUT: SILENT,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  CERT_UNTRUSTED: UNTRUSTED,
  CERT_HAS_EXPIRED: ['the certificate has expired', 'Renew it, and check the clock.'],
  CERT_NOT_YET_VALID: ['the certificate is not valid yet', 'Check the clock.'],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'the certificate is for another host name',
    'Use a host name in COMFYUI_SERVER that the certificate holds.',
  ],
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
  EPROTO: NO_TLS,
};

/**
 * Says why the socket does not connect, by what HTTP says: the handshake of a WebSocket hides reasons.
 * @param found what answered to a question over HTTP, or the error of that
 * @param socketStatus the HTTP status with which the handshake was refused; undefined where it failed otherwise
 */
export function explainUnreachable(
  found: Probe | BackendError,
  socketStatus: number | undefined,
): Unreachable {
  const [short, advice] = found instanceof BackendError ? ofError(found) : ofAnswer(found, socketStatus);
  const refused =
    found instanceof BackendError ? found.refused : found.status === 502 || found.status === 503;
  return { short, message: `${short.slice(0, 1).toUpperCase()}${short.slice(1)}. ${advice}`, refused };
}

function ofError(error: BackendError): Reason {
  const code = codeOf(error.cause);
  const known = REASONS[code];
  if (known !== undefined) return known;
  if (code.startsWith('HPE_')) return ODD;
  if (/CERT|SIGNATURE|SELF_SIGNED/.test(code)) return UNTRUSTED;
  if (code.startsWith('ERR_SSL_')) return NO_TLS;
  if (error.fault === 'timeout' || code === 'UND_ERR_CONNECT_TIMEOUT') return SILENT;
  return [
    'the connection breaks',
    'Check the port in COMFYUI_SERVER, http:// or https://, and the proxy in front of ComfyUI, if there is one.',
  ];
}

function ofAnswer({ status, html, comfyui }: Probe, socketStatus: number | undefined): Reason {
  if (status === 401 || status === 407) return [`access denied (${status})`, CREDENTIALS];
  if (status === 403) {
    return [
      'access denied (403)',
      `${CREDENTIALS} ComfyUI itself refuses callers whose Origin is not its own.`,
    ];
  }
  if (status >= 300 && status < 400) {
    return [`redirected (${status})`, `That leads to a login page or to another address. ${CREDENTIALS}`];
  }
  if (status >= 500) {
    return [`answered with ${status}`, 'A proxy in front does not reach ComfyUI, or ComfyUI fails.'];
  }
  if (!comfyui && html && status === 200) {
    return ['a web page answers, not ComfyUI', `It may be a login page, or another program. ${CREDENTIALS}`];
  }
  if (!comfyui) {
    return [
      `not a ComfyUI (status ${status})`,
      'Another program answers there. Check the port and the path in COMFYUI_SERVER.',
    ];
  }
  if (socketStatus === 401 || socketStatus === 403) {
    return [
      `its WebSocket is refused (${socketStatus})`,
      `HTTP works, /ws does not. ${CREDENTIALS} ComfyUI itself refuses callers whose Origin is not its own.`,
    ];
  }
  return [
    `its WebSocket cannot be opened${socketStatus === undefined ? '' : ` (${socketStatus})`}`,
    'HTTP works, /ws does not. A proxy in front of ComfyUI has to pass on WebSocket upgrades.',
  ];
}

/** The first code in the chain of causes; of an attempt at several addresses, that of the first. */
function codeOf(error: unknown): string {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; depth += 1) {
    const { code } = cause as NodeJS.ErrnoException;
    if (typeof code === 'string' && code !== 'UND_ERR_SOCKET') return code;
    cause = cause instanceof AggregateError ? (cause.errors as unknown[])[0] : cause.cause;
  }
  return '';
}
