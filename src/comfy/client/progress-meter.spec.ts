import { describe, expect, it } from 'vitest';
import { ProgressMeter } from './progress-meter.js';

const workflow = {
  load: { class_type: 'CheckpointLoaderSimple', inputs: {} },
  sample: { class_type: 'KSampler', inputs: { steps: 18 } },
  save: { class_type: 'SaveImage', inputs: {} },
};
const promptId = 'p';
const node = (id: string, value: number, max: number, state: 'running' | 'finished') => ({
  node: id,
  displayNode: id,
  value,
  max,
  state,
});

describe('ProgressMeter', () => {
  it('weighs a node by its steps', () => {
    const meter = new ProgressMeter(workflow);
    const running = [node('load', 1, 1, 'finished'), node('sample', 9, 18, 'running')];
    expect(meter.takeStates(running)?.value).toBeCloseTo((1 + 9) / 20);
  });

  it('follows an old server, which only says what runs', () => {
    const meter = new ProgressMeter(workflow);
    meter.take({ type: 'executing', promptId, node: 'load', displayNode: 'load' });
    meter.take({ type: 'executing', promptId, node: 'sample', displayNode: 'sample' });
    const progress = meter.take({ type: 'progress', promptId, node: 'sample', value: 9, max: 18 });
    expect(progress).toEqual({
      value: 0.5,
      node: 'sample',
      class: 'KSampler',
      step: 9,
      steps: 18,
      nodesDone: 1,
      nodesTotal: 3,
    });
  });

  it('leaves out what is cached', () => {
    const meter = new ProgressMeter(workflow);
    expect(meter.take({ type: 'execution_cached', promptId, nodes: ['load', 'sample'] })).toMatchObject({
      nodesTotal: 1,
      value: 0,
    });
    expect(
      meter.take({ type: 'executed', promptId, node: 'save', displayNode: 'save', output: {} })?.value,
    ).toBe(1);
  });

  it('never goes back, whatever a node claims', () => {
    const meter = new ProgressMeter(workflow);
    const before = meter.take({ type: 'progress', promptId, node: 'sample', value: 18, max: 18 })?.value ?? 0;
    const after = meter.take({ type: 'progress', promptId, node: 'save', value: 1, max: 500 })?.value ?? 0;
    expect(after).toBeGreaterThanOrEqual(before);
  });

  it('does not mind nodes of an expansion', () => {
    const meter = new ProgressMeter(workflow);
    const nodes = [node('sample.0.0.1', 5, 10, 'running')];
    expect(meter.takeStates(nodes)).toBeUndefined();
  });

  it('says nothing where nothing has changed', () => {
    const meter = new ProgressMeter(workflow);
    const message = { type: 'progress', promptId, node: 'sample', value: 3, max: 18 } as const;
    expect(meter.take(message)).toBeDefined();
    expect(meter.take(message)).toBeUndefined();
  });
});
