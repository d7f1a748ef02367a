import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { PromptMessage, SocketMessage } from './messages.js';
import { PromptRouter } from './prompt-router.js';

function setUp() {
  const messages = new Subject<SocketMessage>();
  const router = new PromptRouter(messages);
  const heard: PromptMessage[] = [];
  const say = (promptId: string, count = 1, bytes = 0) => {
    for (let index = 0; index < count; index += 1) {
      messages.next({
        type: 'image',
        promptId,
        node: '1',
        displayNode: '1',
        mime: 'image/png',
        // Its length is all that is looked at.
        bytes: { length: bytes } as Uint8Array,
      });
    }
  };
  return { router, heard, say };
}

describe('what comes before anybody watches', () => {
  it('is kept, and handed over in order', () => {
    const { router, heard, say } = setUp();
    say('a', 512);
    say('b');
    router.watch('a').subscribe((message) => heard.push(message));
    say('a');
    expect(heard).toHaveLength(513);
    expect([router.hasForgotten('a'), router.hasForgotten('b')]).toEqual([false, false]);
  });

  it.each([
    ['messages', (say: ReturnType<typeof setUp>['say']) => say('a', 513)],
    ['bytes', (say: ReturnType<typeof setUp>['say']) => say('a', 4, 64 * 1024 * 1024)],
    [
      'prompts',
      (say: ReturnType<typeof setUp>['say']) => {
        say('a');
        for (let index = 0; index < 40; index += 1) say(`other ${index}`);
      },
    ],
  ])('of which there are too many %s: whoever comes for it can ask whether all is there', (_, flood) => {
    const { router, say } = setUp();
    flood(say);
    expect(router.hasForgotten('a')).toBe(true);
    expect(router.hasForgotten('other 39')).toBe(false);
  });
});
