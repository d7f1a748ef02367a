import { loadSettings } from './config/index.js';
import { receiverOf, Signer } from './webhooks/index.js';

/** `node dist/webhook-secret.js <webhook_url>`: prints the secret with which that receiver checks what it gets, for its operator. */
const [url = '', ...rest] = process.argv.slice(2);
try {
  if (rest.length > 0 || !/^https?:\/\//i.test(url) || !URL.canParse(url)) {
    throw new Error(
      'Usage: node dist/webhook-secret.js <webhook_url>, e.g. https://studio.example.com/hooks/comfy',
    );
  }
  const [secret] = new Signer(loadSettings().webhooks.secrets ?? []).secretsFor(url);
  if (secret === undefined) throw new Error(`WEBHOOK_SECRETS has no secret for ${receiverOf(url)}.`);
  process.stdout.write(`${secret}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
