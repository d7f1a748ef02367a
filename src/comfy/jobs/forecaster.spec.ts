import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Durations } from '../backends/durations.js';
import { Experience } from '../backends/experience.js';
import { shapeOf, type Workflow } from '../workflow/index.js';
import { Forecaster, type Station } from './forecaster.js';
import { InProcessQueue } from './in-process.queue.js';
import { Job } from './job.js';

const NOW = 1_000_000;
const workflow = (steps: number, model?: string): Workflow => ({
  '1': { class_type: 'KSampler', inputs: { steps, ...(model === undefined ? {} : { model }) } },
});

interface FakeStation extends Station {
  usable: boolean;
  running: { job: string; givenAt: number; begunAt: number | undefined; cold: boolean }[];
  loaded: Set<string>;
}

const station = (name: string): FakeStation => ({ name, usable: true, running: [], loaded: new Set() });

let queue: InProcessQueue;
let durations: Durations;
let experience: Experience;
let a: FakeStation;
let b: FakeStation;
let forecaster: Forecaster;
let jobs: number;

beforeEach(() => {
  queue = new InProcessQueue(10_000);
  durations = new Durations();
  experience = new Experience();
  [a, b] = [station('a'), station('b')];
  forecaster = new Forecaster(queue, { backends: [a, b], durations, experience }, Number.POSITIVE_INFINITY);
  jobs = 0;
});

/** Workflows of so many steps take a second a step, and 100 ms to be stored. */
function learn(...steps: number[]): void {
  for (const count of steps) {
    durations.learnRun(shapeOf(workflow(count)), 'a', false, count * 1_000);
    durations.learnStoring(shapeOf(workflow(count)), 'a', 100);
  }
}

function submit(steps: number, model?: string): Job {
  jobs += 1;
  const request = {
    workflow: workflow(steps, model),
    media: [],
    outputNode: undefined,
    allOutputs: false,
    priority: 0,
    caller: '',
  };
  const job = new Job(`job-${jobs}`, request, NOW);
  queue.add(job);
  return job;
}

/** A job that a backend has, and has begun with so many ms ago. */
function run(on: FakeStation, steps: number, begunMsAgo?: number, model?: string): Job {
  const job = submit(steps, model);
  queue.take(job);
  job.apply({ type: 'started', at: NOW, backend: on.name, promptId: 'p' });
  const begunAt = begunMsAgo === undefined ? undefined : NOW - begunMsAgo;
  on.running.push({ job: job.id, givenAt: NOW, begunAt, cold: model !== undefined });
  return job;
}

/** Starts and ends as a pair. */
function ask({ id }: Job, now = NOW) {
  const { startsInMs, endsInMs } = forecaster.forecast(id, now);
  return [startsInMs, endsInMs];
}

describe('Forecaster', () => {
  it('knows nothing of jobs that are not there, or have ended', () => {
    const nothing = { position: undefined, startsInMs: undefined, endsInMs: undefined };
    expect(forecaster.forecast('who', NOW)).toEqual(nothing);
    learn(4);
    const job = submit(4);
    job.apply({ type: 'cancelled', at: NOW });
    expect(forecaster.forecast(job.id, NOW)).toEqual(nothing);
  });

  it('says where a job is and when it comes to it, through what runs and waits', () => {
    learn(4, 10);
    run(a, 10, 3_000);
    run(a, 4);
    run(b, 10, 9_000);
    const [first, second, third] = [submit(10), submit(4), submit(4)];
    // a is free in 7 + 4, b in 1 and, after the first, in 11.
    expect(forecaster.forecast(first.id, NOW)).toEqual({ position: 0, startsInMs: 1_000, endsInMs: 11_100 });
    expect(forecaster.forecast(second.id, NOW)).toEqual({
      position: 1,
      startsInMs: 11_000,
      endsInMs: 15_100,
    });
    expect(ask(third)).toEqual([11_000, 15_100]);
  });

  it('knows when those begin that wait inside ComfyUI', () => {
    learn(4, 10);
    const [running, given] = [run(a, 10, 3_000), run(a, 4)];
    expect(ask(running)).toEqual([0, 7_100]);
    expect(forecaster.forecast(given.id, NOW)).toEqual({
      position: undefined,
      startsInMs: 7_000,
      endsInMs: 11_100,
    });
  });

  it('is honest about what it has not seen', () => {
    learn(4);
    a.usable = false;
    const strange = run(b, 7, 1_000);
    const waiting = submit(4);
    expect(ask(strange)).toEqual([0, undefined]);
    expect(forecaster.forecast(waiting.id, NOW)).toEqual({
      position: 0,
      startsInMs: undefined,
      endsInMs: undefined,
    });
    a.usable = true;
    expect(ask(waiting, NOW + 1)).toEqual([0, 4_100]);
  });

  it('says no more once a run takes much longer than before, unless it shows how far it is', () => {
    learn(4);
    const job = run(a, 4, 7_000);
    expect(ask(job)).toEqual([0, undefined]);
    const rest = { node: '1', class: 'KSampler', step: 2, steps: 4, nodesDone: 0, nodesTotal: 1 };
    job.apply({ type: 'progress', progress: { value: 0.5, ...rest } });
    expect(ask(job)).toEqual([0, 7_100]);
  });

  it('counts the loading of a model where it is missing', () => {
    const model = 'x.safetensors';
    experience.learn([model], true, 9_000);
    experience.learn([model], false, 2_000);
    const shape = shapeOf(workflow(2, model));
    durations.learnRun(shape, 'a', false, 2_000);
    durations.learnStoring(shape, 'a', 0);
    expect(ask(run(a, 2, 1_000, model))).toEqual([0, 8_000]);
    const [first, second] = [submit(2, model), submit(2, model)];
    b.usable = false;
    expect(ask(first)).toEqual([8_000, 17_000]);
    expect(ask(second)).toEqual([17_000, 19_000]);
    a.loaded.add(model);
    expect(ask(first, NOW + 1)).toEqual([7_999, 9_999]);
  });

  it('gives nothing to a backend that takes nothing, which ends what it has', () => {
    learn(4, 10);
    const last = run(a, 10, 9_000);
    run(b, 10, 0);
    a.usable = false;
    const waiting = submit(4);
    expect(ask(last)).toEqual([0, 1_100]);
    expect(ask(waiting)).toEqual([10_000, 14_100]);
    b.usable = false;
    expect(ask(waiting, NOW + 1)).toEqual([undefined, undefined]);
  });

  it('follows a job into storage, and counts it no more on its backend', () => {
    learn(4);
    b.usable = false;
    const job = run(a, 4, 4_000);
    job.apply({ type: 'rendered', at: NOW });
    expect(ask(job, NOW + 40)).toEqual([0, 60]);
    expect(ask(submit(4))).toEqual([0, 4_100]);
    expect(ask(job, NOW + 251)).toEqual([0, undefined]);
  });

  it('does not count a run that was given up, and is tried elsewhere', () => {
    learn(4);
    const job = run(a, 4, 0);
    job.apply({ type: 'started', at: NOW, backend: 'b', promptId: 'p' });
    b.usable = false;
    expect(ask(submit(4))).toEqual([0, 4_100]);
  });

  it('plays a long line through once for all who ask, and again when it is old', () => {
    learn(4);
    const line = Array.from({ length: 1_000 }, () => submit(4));
    const first = vi.spyOn(queue, 'first');
    for (const [index, job] of line.entries()) {
      expect(ask(job)).toEqual([Math.floor(index / 2) * 4_000, Math.floor(index / 2) * 4_000 + 4_100]);
    }
    expect(ask(line[999] ?? expect.fail(), NOW + 150)).toEqual([499 * 4_000 - 150, 500 * 4_000 - 50]);
    expect(first).toHaveBeenCalledTimes(1);
    ask(line[0] ?? expect.fail(), NOW + 201);
    expect(first).toHaveBeenCalledTimes(2);
  });

  it('does not hold up everything else for a line that takes too long', () => {
    learn(4);
    const hasty = new Forecaster(queue, { backends: [a, b], durations, experience }, 0);
    const job = submit(4);
    expect(hasty.forecast(job.id, NOW)).toEqual({ position: 0, startsInMs: undefined, endsInMs: undefined });
  });
});
