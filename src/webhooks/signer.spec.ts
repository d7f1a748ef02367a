import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { Signer } from './signer.js';

const secretOf = (letter: string) => `whsec_${Buffer.from(letter.repeat(32)).toString('base64')}`;
const BODY = '{"type":"job.succeeded","text":"图片"}';

describe('Signer', () => {
  it('signs so that the public library is content, with each of the keys', () => {
    const headers = new Signer([secretOf('n'), secretOf('o')]).headersOf('msg_1', new Date(), BODY);
    for (const letter of ['n', 'o'])
      expect(new Webhook(secretOf(letter)).verify(BODY, headers)).toMatchObject({ type: 'job.succeeded' });
    expect(() => new Webhook(secretOf('x')).verify(BODY, headers)).toThrow(/No matching signature/);
    expect(() => new Webhook(secretOf('n')).verify(`${BODY} `, headers)).toThrow(/No matching signature/);
  });

  it('signs with the newest key first', () => {
    const at = new Date();
    const headers = new Signer([secretOf('n'), secretOf('o')]).headersOf('msg_1', at, BODY);
    const [first] = headers['webhook-signature']?.split(' ') ?? [];
    expect(first).toBe(new Webhook(secretOf('n')).sign('msg_1', at, BODY));
  });
});
