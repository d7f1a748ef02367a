import { expect, it } from 'vitest';
import type { JobOutput, JobState } from '../comfy/index.js';
import { pickOutput } from './generate.reply.js';

const file = (id: string, contentType: string) => ({ id, contentType }) as JobOutput;
const job = (...outputs: JobOutput[]) => ({ id: 'job', outputs }) as unknown as JobState;

it('hands out what was not converted, where nothing was', () => {
  expect(pickOutput(job(file('a', 'image/png'), file('b', 'video/mp4')), 1).id).toBe('b');
});

it('hands out only what was converted, where something was', () => {
  const converted = { ...file('a', 'image/webp'), original: file('c', 'image/png') };
  const state = job(converted, file('b', 'video/mp4'));
  expect(pickOutput(state, 0).id).toBe('a');
  expect(() => pickOutput(state, 1)).toThrow(
    expect.objectContaining({
      code: 'conversion_failed',
      detail: expect.stringContaining('/api/v2/assets/b/content') as string,
      extras: { job_id: 'job' },
    }) as Error,
  );
  expect(() => pickOutput(state, 2)).toThrow(expect.objectContaining({ code: 'no_output' }) as Error);
});
