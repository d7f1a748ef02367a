/** Bytes of a secret (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md). */
const MIN_BYTES = 24;
const MAX_BYTES = 64;

/** A key of `WEBHOOK_SECRETS`. */
export interface WebhookSecret {
  /** `whsec_` and base64. */
  secret: string;
  /**
   * The origin and path whose receivers know `secret` itself, and below which its paths lie. Undefined: each receiver has a secret of its
   * own, which is made of this one.
   */
  receiver: string | undefined;
}

/**
 * Reads `WEBHOOK_SECRETS`: base64, as the libraries take it, or `https://host/path=whsec_…`.
 * @throws Error that does not repeat a secret
 */
export function parseWebhookSecrets(value: string): WebhookSecret[] {
  const secrets = value.split(',').map((entry) => {
    const [, url, bound] = /^([a-z][a-z0-9+.-]*:\/\/.*)=(whsec_.*)$/i.exec(entry.trim()) ?? [];
    return {
      secret: readSecret(bound ?? entry.trim()),
      receiver: url === undefined ? undefined : readReceiver(url),
    };
  });
  // A receiver that knew a secret which others are made of, or have, could pass for this server.
  if (new Set(secrets.map(({ secret }) => secret)).size < secrets.length)
    throw new Error('holds a secret twice');
  return secrets;
}

function readSecret(text: string): string {
  const base64 = text.replace(/^whsec_/, '');
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('base64').replace(/=+$/, '') !== base64.replace(/=+$/, '')) {
    throw new Error('holds an entry that is not base64');
  }
  if (bytes.length < MIN_BYTES || bytes.length > MAX_BYTES) {
    throw new Error(`holds an entry that is not ${MIN_BYTES} to ${MAX_BYTES} bytes long`);
  }
  return `whsec_${bytes.toString('base64')}`;
}

function readReceiver(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.href !== `${url.origin}${url.pathname}`) {
    throw new Error('holds a receiver that is not http(s)://host/path without credentials and query');
  }
  return url.href;
}
