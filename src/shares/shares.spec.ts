import { describe, expect, it } from 'vitest';
import { FairGate } from './fair-gate.js';
import { callerKey, shareLimits, Shares } from './shares.js';

const never = new AbortController().signal;

describe('Shares', () => {
  const fill = (shares: Shares, caller: (index: number) => string) => {
    let count = 0;
    while (shares.exhausted(caller(count)) === undefined) shares.take(caller(count++));
    return count;
  };

  it('leave places for other callers, and for other networks whatever callers call themselves', () => {
    const shares = new Shares(shareLimits(1_000));
    expect(fill(shares, () => '10.0.0.1')).toBe(750);
    expect(fill(shares, (index) => callerKey('10.0.0.1', `made up ${index}`))).toBe(125);
    expect(shares.exhausted('10.0.0.1 x')).toBe('network');
    expect(shares.exhausted('10.0.0.2')).toBeUndefined();
    expect(fill(shares, () => '10.0.0.2 a')).toBe(125);
    expect(shares.exhausted('10.0.0.3')).toBe('all');
    shares.release('10.0.0.1');
    expect(shares.exhausted('10.0.0.3')).toBeUndefined();
  });

  it.each([
    [1, 1, 1],
    [2, 2, 2],
    [4, 3, 4],
    [8, 6, 7],
  ])('of %i places: %i for a caller, %i for a network', (total, caller, network) => {
    expect(shareLimits(total)).toEqual({ total, caller, network });
  });
});

describe('FairGate', () => {
  const limits = { total: 4, caller: 2, network: 3 };

  function work(gate: FairGate, caller: string, begun: string[], signal = never) {
    let end = () => {};
    const done = gate.run(caller, signal, () => {
      begun.push(caller);
      return new Promise<void>((resolve) => (end = resolve));
    });
    return { done, end: () => end() };
  }
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  it('keeps a place for those who come later', async () => {
    const gate = new FairGate(limits);
    const begun: string[] = [];
    const flood = Array.from({ length: 8 }, () => work(gate, 'a', begun));
    const invented = Array.from({ length: 8 }, (_, index) => work(gate, `a ${index}`, begun));
    await settled();
    expect(begun).toEqual(['a', 'a', 'a 0']);
    work(gate, 'b', begun);
    await settled();
    expect(begun.at(-1)).toBe('b');
    flood[0]?.end();
    await settled();
    // Who has nothing under way goes before who has.
    expect(begun.at(-1)).toBe('a 1');
    expect(invented).toHaveLength(8);
  });

  it('forgets who leaves, and passes errors on', async () => {
    const gate = new FairGate({ total: 1, caller: 1, network: 1 });
    const begun: string[] = [];
    const first = work(gate, 'a', begun);
    const leaving = new AbortController();
    const second = work(gate, 'a', begun, leaving.signal);
    leaving.abort(new Error('left'));
    await expect(second.done).rejects.toThrow('left');
    expect(gate.size).toBe(1);
    first.end();
    await first.done;
    await expect(gate.run('a', never, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(gate.size).toBe(0);
  });
});
