import { describe, expect, it } from 'vitest';
import { Job } from './job.js';
import { Line } from './line.js';

const job = (id: string) =>
  new Job(
    id,
    {
      workflow: { '1': { class_type: 'A' } },
      media: [],
      outputNode: '1',
      allOutputs: false,
      priority: 0,
      caller: '',
    },
    1,
  );

/** A line of jobs, each `caller priority`, named by their place of arrival. */
function lineOf(...jobs: string[]): Line {
  const line = new Line();
  for (const [index, text] of jobs.entries()) {
    const [caller = '', priority = '0'] = text.split(' ');
    line.add(job(`${caller}${index}`), Number(priority), caller);
  }
  return line;
}

function serveAll(line: Line): string[] {
  const order: string[] = [];
  for (let [next] = line.first(1); next !== undefined; [next] = line.first(1)) {
    line.serve(next.id);
    order.push(next.id);
  }
  return order;
}

describe('Line', () => {
  it('is first come, first served for one caller', () => {
    expect(serveAll(lineOf('a', 'a', 'a'))).toEqual(['a0', 'a1', 'a2']);
  });

  it('lets callers take turns, however many jobs each has', () => {
    expect(serveAll(lineOf('a', 'a', 'a', 'b', 'c'))).toEqual(['a0', 'b3', 'c4', 'a1', 'a2']);
  });

  it('lets callers of one network take turns', () => {
    const line = new Line();
    const callers = ['10.0.0.1 a', '10.0.0.1 a', '10.0.0.1 a', '10.0.0.1 b', '10.0.0.1'];
    for (const [index, caller] of callers.entries()) line.add(job(`${index}`), 0, caller);
    expect(serveAll(line)).toEqual(['0', '3', '4', '1', '2']);
  });

  it('serves who comes with one job next, though another has waited with many', () => {
    const line = lineOf('a', 'a', 'a', 'a', 'a');
    line.serve('a0');
    line.serve('a1');
    line.add(job('b'), 0, 'b');
    expect(line.first(2).map(({ id }) => id)).toEqual(['b', 'a2']);
    expect(line.position('b')).toBe(0);
  });

  it('does not let who comes again and again keep the others from their turn', () => {
    const line = lineOf('a', 'a', 'a', 'a');
    const order: string[] = [];
    for (let round = 0; round < 4; round += 1) {
      line.add(job(`b${round}`), 0, 'b');
      for (let served = 0; served < 2; served += 1) {
        const next = line.first(1)[0]?.id ?? '';
        line.serve(next);
        order.push(next[0] ?? '');
      }
    }
    expect(order.filter((caller) => caller === 'a')).toHaveLength(4);
  });

  it('goes by priority first', () => {
    expect(serveAll(lineOf('a', 'a 100', 'b -100', 'b 1'))).toEqual(['a1', 'b3', 'a0', 'b2']);
  });

  it('serves the oldest every eighth time: nobody waits for ever', () => {
    const line = lineOf('poor -100');
    const order: string[] = [];
    for (let round = 0; round < 20; round += 1) {
      line.add(job(`rich${round}`), 100, 'rich');
      const [next] = line.first(64);
      order.push(next?.id ?? '');
      line.serve(next?.id ?? '');
    }
    expect(order.indexOf('poor0')).toBe(7);
    expect(new Set(order).size).toBe(20);
  });

  it('puts a job back to where it was', () => {
    const line = lineOf('a', 'a', 'b');
    const place = line.serve('a0');
    if (place === undefined) return expect.fail('it was there');
    expect(line.position('a1')).toBe(1);
    line.restore(place);
    expect(line.first(9).map(({ id }) => id)).toEqual(['a0', 'b2', 'a1']);
  });

  it('passes over a job that waits for its files, which keeps its place', () => {
    const line = lineOf();
    const [waiting, next] = [job('a'), job('b')];
    waiting.hold();
    for (const each of [waiting, next]) line.add(each, 0, '');
    expect(line.first(9)).toEqual([next]);
    expect(line.position('b')).toBe(1);
    waiting.admit([]);
    expect(line.first(9)).toEqual([waiting, next]);
  });

  it('keeps its order through ten thousand comings and goings', () => {
    const line = new Line();
    for (let index = 0; index < 10_000; index += 1)
      line.add(job(`j${index}`), (index * 7) % 5, `c${index % 13}`);
    for (let index = 0; index < 10_000; index += 3) line.remove(`j${index}`);
    const places = line.first(10_000).map(({ id }) => line.position(id));
    expect(places).toEqual(places.map((_, index) => index));
    expect(line.remove('j0')).toBeUndefined();
  });
});
