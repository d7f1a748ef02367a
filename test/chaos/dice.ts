import { hashText, randomFrom } from '../comfyui/media/random.js';

/** Chances from a seed: the same name and seed roll the same again, whatever else happens meanwhile. */
export class Dice {
  private readonly random: () => number;

  constructor(seed: number, name: string) {
    this.random = randomFrom(hashText(`${seed} ${name}`));
  }

  /** From 0 to below 1. */
  readonly roll = (): number => this.random();

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  /** A whole number, both ends included. */
  between(min: number, max: number): number {
    return min + Math.floor(this.random() * (max - min + 1));
  }

  /** @throws Error where there is nothing to pick */
  pick<T>(from: readonly T[]): T {
    const picked = from[Math.floor(this.random() * from.length)];
    if (picked === undefined) throw new Error('nothing to pick from');
    return picked;
  }

  /** By weight. */
  weighted<T extends string>(weights: Readonly<Record<T, number>>): T {
    const entries = Object.entries(weights) as [T, number][];
    let left = this.random() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) {
      left -= weight;
      if (left < 0) return name;
    }
    return this.pick(entries)[0];
  }

  shuffled<T>(items: readonly T[]): T[] {
    const left = [...items];
    return items.map(() => left.splice(Math.floor(this.random() * left.length), 1)).flat();
  }
}
