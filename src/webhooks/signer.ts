import { createHmac } from 'node:crypto';
import { Webhook } from 'standardwebhooks';

/** A key that signs. */
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
 * Signs for one receiver: callers name receivers, so that what one of them gets must not verify at another (ADR 0033). It signs with
 * every key, so that receivers who have any of them can check it while keys are changed.
 */
export class Signer {
  /** @param keys the newest first */
  constructor(private readonly keys: readonly WebhookSecret[]) {}

  /** The secrets with which this receiver may check what it gets; those of its own first. Empty: nothing can be signed for it. */
  secretsFor(url: string): string[] {
    const receiver = receiverOf(url);
    const shared = this.keys.flatMap(({ secret, receiver: bound }) =>
      bound === undefined ? [derivedSecret(secret, receiver)] : [],
    );
    return [...this.ownSecretsOf(receiver), ...shared];
  }

  /**
   * @param id the same for every try of one delivery
   * @param at the moment of this try
   * @throws Error where nothing can be signed for the receiver
   */
  headersOf(id: string, url: string, at: Date, body: string): Record<string, string> {
    const secrets = this.secretsFor(url);
    if (secrets.length === 0) throw new Error('No secret signs for this receiver');
    return {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(' '),
    };
  }

  /** Of the nearest path only: whoever has one above it is somebody else. */
  private ownSecretsOf(receiver: string): string[] {
    const bound = this.keys.flatMap(({ secret, receiver: at }) =>
      at !== undefined && isBelow(receiver, at) ? [{ secret, at }] : [],
    );
    const nearest = Math.max(...bound.map(({ at }) => at.length));
    return bound.flatMap(({ secret, at }) => (at.length === nearest ? [secret] : []));
  }
}

/** Who a URL leads to: its origin and path, as WHATWG URL writes them. Its query is for the receiver only. */
export function receiverOf(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

/** HMAC-SHA256 of the receiver under the bytes of the secret: it tells nothing of that, nor of other receivers' secrets. */
function derivedSecret(secret: string, receiver: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  return `whsec_${createHmac('sha256', key).update(receiver).digest('base64')}`;
}

function isBelow(receiver: string, path: string): boolean {
  return receiver === path || receiver.startsWith(path.endsWith('/') ? path : `${path}/`);
}
