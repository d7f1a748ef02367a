import { describe, expect, it } from 'vitest';
import { parseWebhookSecrets } from './webhook-secrets.js';

const secretOf = (letter: string) => `whsec_${Buffer.from(letter.repeat(32)).toString('base64')}`;
const [A, B, C] = ['a', 'b', 'c'].map(secretOf) as [string, string, string];

describe('WEBHOOK_SECRETS', () => {
  it('reads secrets, and those of one receiver', () => {
    expect(
      parseWebhookSecrets(`${A}, https://Studio.example.com=${B},http://nas.lan:8080/hooks/=${C}`),
    ).toEqual([
      { secret: A, receiver: undefined },
      { secret: B, receiver: 'https://studio.example.com/' },
      { secret: C, receiver: 'http://nas.lan:8080/hooks/' },
    ]);
    // Padding is part of base64, and no sign between a receiver and its secret.
    expect(parseWebhookSecrets(A.replace('whsec_', ''))).toEqual([{ secret: A, receiver: undefined }]);
    expect(parseWebhookSecrets(`https://a.example/x%3Dy=${B}`)[0]?.receiver).toBe('https://a.example/x%3Dy');
  });

  it.each([
    ['not-base64!', /not base64/],
    ['whsec_YWJj', /24 to 64 bytes/],
    [`https://a.example?x=1=${A}`, /receiver/],
    [`https://user@a.example=${A}`, /receiver/],
    [`ftp://a.example=${A}`, /receiver/],
    [`a.example=${A}`, /base64|receiver/],
    [`${A},${A}`, /twice/],
    // Who knows a secret that others are made of could make them, too.
    [`${A},https://a.example=${A}`, /twice/],
    [`https://a.example=${A},https://b.example=${A}`, /twice/],
  ])('refuses %s', (text, why) => {
    expect(() => parseWebhookSecrets(text)).toThrow(why);
    try {
      parseWebhookSecrets(text);
    } catch (error) {
      expect(String(error)).not.toContain(A.slice(6));
    }
  });
});
