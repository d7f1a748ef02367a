import { describe, expect, it } from 'vitest';
import { bytesOf, duration, JobDescription } from './describe.js';
import { plainLines } from './plain-lines.js';
import { PREVIEW_ROWS, previewWith } from './preview.js';

const NODE = {
  value: 0.4,
  nodes_done: 1,
  nodes_total: 3,
  current_node: '3',
  current_node_class: 'KSampler',
  step: 8,
  steps: 20,
};
const status = (status: string, more: { position?: number; startsInMs?: number; endsInMs?: number } = {}) =>
  ({
    type: 'status',
    status,
    position: undefined,
    startsInMs: undefined,
    endsInMs: undefined,
    ...more,
  }) as const;

describe('what is said of a job', () => {
  it('in line: how many are before it, and when it begins', () => {
    const job = new JobDescription();
    job.hear(status('queued', { position: 3, startsInMs: 61_000 }), 0);
    expect(job.view(1_000)).toEqual({ value: undefined, what: '3 before it in line, begins in 1 min 0 s' });
    job.hear(status('queued', { position: 0 }), 0);
    expect(job.view(0).what).toBe('next in line');
  });

  it('at work: node, step, and when it will be done, by the clock', () => {
    const job = new JobDescription();
    job.hear(status('running', { endsInMs: 12_000 }), 0);
    expect(job.view(0)).toEqual({ value: undefined, what: 'starting' });
    job.hear({ type: 'progress', progress: NODE }, 0);
    expect(job.view(5_000)).toEqual({ value: 0.4, what: 'KSampler (3), step 8/20, done in 7 s' });
    expect(job.view(60_000).what).toBe('KSampler (3), step 8/20');
  });

  it('run again: it begins anew', () => {
    const job = new JobDescription();
    job.hear({ type: 'progress', progress: NODE });
    job.hear(status('queued', { position: 1 }));
    job.hear(status('running'));
    expect(job.view().value).toBeUndefined();
  });

  it('numbers for people', () => {
    expect([0, 999, 1_000, 12_345, 1_500_000, 3e12].map(bytesOf)).toEqual([
      '0 B',
      '999 B',
      '1.0 kB',
      '12 kB',
      '1.5 MB',
      '3.0 TB',
    ]);
    expect([5, 65, 3_700].map(duration)).toEqual(['5 s', '1 min 5 s', '1 h 1 min']);
  });
});

describe('plain lines', () => {
  it('come for what is new, and not for each step', () => {
    const lines: string[] = [];
    const progress = plainLines((text) => lines.push(text));
    progress.show({ value: undefined, what: '3 before it in line' });
    progress.show({ value: undefined, what: '2 before it in line' });
    for (let step = 0; step <= 100; step++) progress.show({ value: step / 100, what: `step ${step}` });
    progress.note('The connection broke');
    expect(lines).toEqual([
      '3 before it in line\n',
      '  0%  step 0\n',
      ' 25%  step 25\n',
      ' 50%  step 50\n',
      ' 75%  step 75\n',
      '100%  step 100\n',
      'The connection broke\n',
    ]);
  });
});

describe('previews', () => {
  it('have one place, above the line of the bar', () => {
    const preview = previewWith(() => '<picture>');
    const place = `\u001b7\u001b[${PREVIEW_ROWS}A<picture>\u001b8`;
    expect(preview.draw(Buffer.from('x'))).toBe('\n'.repeat(PREVIEW_ROWS) + place);
    expect(preview.draw(Buffer.from('x'))).toBe(place);
    expect(preview.draw(Buffer.alloc(0))).toBeUndefined();
  });

  it('are left out where the terminal shows none', () => {
    const preview = previewWith(((_: unknown, { fallback }: { fallback: () => unknown }) =>
      fallback()) as never);
    expect(preview.draw(Buffer.from('x'))).toBeUndefined();
  });
});
