/** Bytes of a secret (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md). */
const MIN_BYTES = 24;
const MAX_BYTES = 64;

/** Reads `WEBHOOK_SECRETS`: base64, as the libraries take it. @throws Error that does not repeat the value */
export function parseWebhookSecrets(value: string): string[] {
  return value.split(',').map((entry) => {
    const base64 = entry.trim().replace(/^whsec_/, '');
    const bytes = Buffer.from(base64, 'base64');
    if (bytes.toString('base64').replace(/=+$/, '') !== base64.replace(/=+$/, '')) {
      throw new Error('holds an entry that is not base64');
    }
    if (bytes.length < MIN_BYTES || bytes.length > MAX_BYTES) {
      throw new Error(`holds an entry that is not ${MIN_BYTES} to ${MAX_BYTES} bytes long`);
    }
    return `whsec_${bytes.toString('base64')}`;
  });
}
