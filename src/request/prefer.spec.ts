import { describe, expect, it } from 'vitest';
import { readPreferences } from './prefer.js';

describe('readPreferences', () => {
  it.each([
    [undefined, false, undefined],
    ['', false, undefined],
    ['respond-async', true, undefined],
    ['Respond-Async , WAIT=10', true, 10],
    ['wait=0', false, 0],
    ['wait="7"', false, 7],
    [' wait = 7 ; foo="a,b" , respond-async', true, 7],
    ['foo="respond-async, wait=3", wait=5', false, 5],
    ['wait=1, wait=2', false, 1],
    ['wait=-1', false, undefined],
    ['wait=1.5', false, undefined],
    ['wait=99999999999', false, undefined],
    ['wait', false, undefined],
    ['respond-async=yes', false, undefined],
    ['return=minimal, handling=lenient', false, undefined],
    [',,;;==', false, undefined],
  ])('%s', (header, respondAsync, waitS) => {
    expect(readPreferences(header)).toEqual({ respondAsync, waitS });
  });
});
