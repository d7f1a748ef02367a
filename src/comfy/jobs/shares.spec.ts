import { describe, expect, it } from 'vitest';
import { ComfyError } from '../comfy.error.js';
import { InProcessQueue } from './in-process.queue.js';
import { Job } from './job.js';

function job(id: string, caller: string): Job {
  const workflow = { '1': { class_type: 'A' } };
  const request = { workflow, media: [], outputNode: '1', allOutputs: false, priority: 0, caller };
  return new Job(id, request, 0);
}

describe('places in the line', () => {
  it('are left for others by who takes all it can, also under many names', () => {
    const queue = new InProcessQueue(16);
    const fill = (caller: (index: number) => string) => {
      for (let index = 0; index < 20; index += 1) {
        try {
          queue.expectRoom(caller(index));
        } catch (error) {
          return (error as ComfyError).code;
        }
        queue.add(job(`${caller(index)} ${index}`, caller(index)));
      }
      return undefined;
    };
    expect(fill(() => '10.0.0.1 flood')).toBe('queue_full');
    expect(queue.waiting).toBe(12);
    expect(() => queue.expectRoom('10.0.0.1 other')).not.toThrow();
    expect(fill((index) => `10.0.0.1 ${index}`)).toBe('queue_full');
    expect(queue.waiting).toBe(14);
    expect(() => queue.expectRoom('10.0.0.2')).not.toThrow();
    const [first] = queue.first(1);
    queue.take(first as Job);
    expect(() => queue.expectRoom('10.0.0.1 other')).not.toThrow();
  });

  it('come in turn, by network where callers make up names', () => {
    const queue = new InProcessQueue(1_000);
    for (let index = 0; index < 200; index += 1) queue.add(job(`a${index}`, `10.0.0.1 ${index}`));
    queue.add(job('innocent', '10.0.0.2'));
    expect(queue.position('innocent')).toBeLessThan(17);
  });
});
