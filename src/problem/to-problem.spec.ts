import { describe, expect, it } from 'vitest';
import { StateError } from '../state/index.js';
import { toProblem } from './to-problem.js';

describe('toProblem', () => {
  it('takes what cannot be written down for something that passes', () => {
    const problem = toProblem(
      new StateError('The server cannot write.', new Error('SQLITE_FULL /srv/state')),
    );
    expect(problem?.getStatus()).toBe(503);
    expect(problem).toMatchObject({
      code: 'state_error',
      detail: 'The server cannot write.',
      extras: { retry_after: 15 },
    });
  });

  it('leaves to the log what nobody expected', () => {
    expect(toProblem(new Error('oops'))).toBeUndefined();
  });
});
