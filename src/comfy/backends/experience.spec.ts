import { describe, expect, it } from 'vitest';
import { Experience } from './experience.js';
import { ModelMemory } from './model-memory.js';

describe('Experience', () => {
  it('guesses until it has seen both, and then knows what loading costs', () => {
    const experience = new Experience();
    expect(experience.runMs(['x'])).toBe(5_000);
    expect(experience.loadMs(['x'])).toBe(5_000);
    experience.learn(['x'], true, 20_000);
    expect(experience.runMs(['x'])).toBe(20_000);
    experience.learn(['x'], false, 2_000);
    expect(experience.runMs(['x'])).toBe(2_000);
    expect(experience.loadMs(['x'])).toBe(18_000);
    expect(experience.runMs(['y'])).toBe(5_000);
  });

  it('does not take noise for a load', () => {
    const experience = new Experience();
    experience.learn(['x'], true, 149);
    experience.learn(['x'], false, 100);
    expect(experience.loadMs(['x'])).toBe(0);
    experience.learn(['y'], true, 11_900);
    experience.learn(['y'], false, 10_000);
    expect(experience.loadMs(['y'])).toBe(0);
  });

  it('takes what it has seen last for the rule, until it knows better', () => {
    const experience = new Experience();
    experience.learn(['x'], true, 100);
    experience.learn(['x'], false, 100);
    expect(experience.loadMs(['y'])).toBe(0);
    experience.learn(['z'], true, 900);
    experience.learn(['z'], false, 100);
    expect(experience.loadMs(['y'])).toBe(800);
    expect(experience.loadMs(['x'])).toBe(0);
  });

  it('knows that no model is loaded in no time', () => {
    expect(new Experience().loadMs([])).toBe(0);
  });

  it('follows what changes, the newest more than the old', () => {
    const experience = new Experience();
    for (let run = 0; run < 20; run += 1) experience.learn([], false, run < 10 ? 1_000 : 3_000);
    expect(experience.runMs([])).toBeGreaterThan(2_900);
  });

  it('forgets kinds that were not seen for long', () => {
    const experience = new Experience();
    experience.learn(['first'], false, 1);
    for (let kind = 0; kind < 1_000; kind += 1) experience.learn([`m${kind}`], false, 7);
    expect(experience.runMs(['first'])).toBe(5_000);
    expect(experience.runMs(['m999'])).toBe(7);
  });
});

describe('ModelMemory', () => {
  it('believes in the models of the last job that used any', () => {
    const memory = new ModelMemory();
    expect(memory.isEmpty).toBe(true);
    memory.use(['a', 'b'], 1);
    memory.use([], 2);
    expect(memory.missing(['a', 'c'])).toEqual(['c']);
    memory.use(['c'], 3);
    expect(memory.missing(['a', 'c'])).toEqual(['a']);
    expect(memory.lately).toEqual([
      { name: 'c', at: 3 },
      { name: 'b', at: 1 },
      { name: 'a', at: 1 },
    ]);
    memory.clear();
    expect(memory.missing(['c'])).toEqual(['c']);
    for (let model = 0; model < 99; model += 1) memory.use([`m${model}`], model);
    expect(memory.lately).toHaveLength(16);
  });
});
