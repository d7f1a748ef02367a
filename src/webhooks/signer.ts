import { Webhook } from 'standardwebhooks';

/** Signs what is sent, with every key: receivers who have any of them can check it while keys are changed. */
export class Signer {
  private readonly keys: readonly Webhook[];

  /** @param secrets as the library takes them, at least one, the newest first */
  constructor(secrets: readonly string[]) {
    this.keys = secrets.map((secret) => new Webhook(secret));
  }

  /** @param id the same for every try of one delivery @param at the moment of this try */
  headersOf(id: string, at: Date, body: string): Record<string, string> {
    return {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': this.keys.map((key) => key.sign(id, at, body)).join(' '),
    };
  }
}
