import { createHmac } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { receiverOf, Signer, type WebhookSecret } from './signer.js';

const secretOf = (letter: string) => `whsec_${Buffer.from(letter.repeat(32)).toString('base64')}`;
const BODY = '{"type":"job.succeeded","text":"图片"}';
const VICTIM = 'https://studio.example.com/hooks/comfy';

const signer = (...secrets: (string | WebhookSecret)[]) =>
  new Signer(secrets.map((one) => (typeof one === 'string' ? { secret: one, receiver: undefined } : one)));
const headers = (from: Signer, url: string, at = new Date()) => from.headersOf('msg_1', url, at, BODY);
const verifies = (secret: string, signed: Record<string, string>, body = BODY) => {
  try {
    new Webhook(secret).verify(body, signed);
    return true;
  } catch {
    return false;
  }
};
/** As the README tells receivers and operators. */
const derived = (secret: string, url: string) =>
  `whsec_${createHmac('sha256', Buffer.from(secret.slice(6), 'base64'))
    .update(url)
    .digest('base64')}`;

describe('Signer', () => {
  it('signs for one receiver so that the public library is content, with each of the keys, the newest first', () => {
    const at = new Date();
    const signed = headers(signer(secretOf('n'), secretOf('o')), VICTIM, at);
    for (const letter of ['n', 'o']) {
      expect(verifies(derived(secretOf(letter), VICTIM), signed)).toBe(true);
      expect(verifies(derived(secretOf(letter), VICTIM), signed, `${BODY} `)).toBe(false);
    }
    const [first] = signed['webhook-signature']?.split(' ') ?? [];
    expect(first).toBe(new Webhook(derived(secretOf('n'), VICTIM)).sign('msg_1', at, BODY));
    expect(verifies(derived(secretOf('x'), VICTIM), signed)).toBe(false);
  });

  it.each([
    'https://attacker.example/hooks/comfy',
    'https://studio.example.com.attacker.example/hooks/comfy',
    'https://studio.example.com/hooks/attacker',
    'https://studio.example.com/hooks/comfy/',
    'https://studio.example.com/hooks/comfy/..%2fcomfy',
    'https://studio.example.com/HOOKS/comfy',
    'https://studio.example.com:8443/hooks/comfy',
    'https://studio.example.com./hooks/comfy',
    'http://studio.example.com/hooks/comfy',
    'https://stüdio.example.com/hooks/comfy',
  ])('what is sent to %s does not verify at another receiver, nor with the secret itself', (url) => {
    const signed = headers(signer(secretOf('n')), url);
    expect(verifies(derived(secretOf('n'), VICTIM), signed)).toBe(false);
    expect(verifies(secretOf('n'), signed)).toBe(false);
    expect(verifies(derived(secretOf('n'), receiverOf(url)), signed)).toBe(true);
  });

  it('takes a receiver for the same, however its URL is written, and whatever its query says', () => {
    for (const url of [
      `${VICTIM}?token=1`,
      `${VICTIM}#part`,
      'HTTPS://Studio.Example.com:443/hooks/comfy',
      'https://studio.example.com/other/../hooks/comfy',
    ]) {
      expect(receiverOf(url)).toBe(VICTIM);
      expect(verifies(derived(secretOf('n'), VICTIM), headers(signer(secretOf('n')), url))).toBe(true);
    }
  });

  it('signs with a secret of the receiver, which no other receiver gets', () => {
    const own = { secret: secretOf('s'), receiver: 'https://studio.example.com/' };
    const both = signer(secretOf('n'), own);
    expect(verifies(own.secret, headers(both, VICTIM))).toBe(true);
    expect(verifies(derived(secretOf('n'), VICTIM), headers(both, VICTIM))).toBe(true);
    for (const url of [
      'https://attacker.example/',
      'http://studio.example.com/',
      'https://studio.example.com:1/',
    ]) {
      expect(verifies(own.secret, headers(both, url)), url).toBe(false);
    }
  });

  it('signs with the secrets of the nearest path only, and by whole parts of paths', () => {
    const root = { secret: secretOf('r'), receiver: 'https://a.example/' };
    const team = { secret: secretOf('t'), receiver: 'https://a.example/team' };
    const next = { secret: secretOf('u'), receiver: 'https://a.example/team' };
    const of = (url: string) => {
      const signed = headers(signer(root, team, next), url);
      return [root, team, next].map(({ secret }) => verifies(secret, signed));
    };
    expect(of('https://a.example/hook')).toEqual([true, false, false]);
    expect(of('https://a.example/teams')).toEqual([true, false, false]);
    expect(of('https://a.example/team')).toEqual([false, true, true]);
    expect(of('https://a.example/team/hook?x=1')).toEqual([false, true, true]);
    expect(of('https://a.example/team/../hook')).toEqual([true, false, false]);
  });

  it('signs for nobody else where every secret is somebody’s', () => {
    const own = signer({ secret: secretOf('s'), receiver: 'https://studio.example.com/' });
    expect(own.secretsFor(VICTIM)).toEqual([secretOf('s')]);
    expect(own.secretsFor('https://other.example/')).toEqual([]);
    expect(() => headers(own, 'https://other.example/')).toThrow();
  });
});
