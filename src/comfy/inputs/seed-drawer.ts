import { randomBytes } from 'node:crypto';
import type { SeedRange } from '../client/index.js';
import type { NodeInput } from '../comfy.error.js';
import { withInput, type Workflow, type WorkflowNode } from '../workflow/index.js';
import type { ClassInfo } from './class-info.js';

/** A seed that was drawn for a workflow that left it open. */
export interface DrawnSeed extends NodeInput {
  /** 0 to 2^53 − 1. */
  value: number;
}

const SAMPLER: SeedRange = { min: 0, max: Number.MAX_SAFE_INTEGER, required: true };

/** Seeds of ComfyUI's own nodes, the same in all versions (18); known where no ComfyUI can be asked. */
const KNOWN_SEEDS: Readonly<Record<string, string>> = {
  KSampler: 'seed',
  KSamplerAdvanced: 'noise_seed',
  SamplerCustom: 'noise_seed',
  RandomNoise: 'noise_seed',
};

/** Draws the seeds that a workflow leaves open: `-1` where a seed cannot be that, `null`, and none where a node needs one. */
export class SeedDrawer {
  constructor(private readonly classes: ClassInfo) {}

  /** @returns the workflow with these seeds, which is the same where none was left open */
  async draw(workflow: Workflow): Promise<{ workflow: Workflow; seeds: DrawnSeed[] }> {
    const nodes = Object.entries(workflow);
    const known = await this.classes.of(
      nodes.filter(([, node]) => mayNeed(node)).map(([, { class_type }]) => class_type),
    );
    let changed = workflow;
    const seeds: DrawnSeed[] = [];
    for (const [node, { class_type, inputs = {} }] of nodes) {
      const described = known.get(class_type)?.seeds ?? knownSeeds(class_type);
      const inputNames = new Set([...described.keys(), ...Object.keys(inputs)]);
      for (const input of inputNames) {
        const range = described.get(input);
        if (range === undefined || !isOpen(inputs, input, range)) continue;
        const seed = { node, input, value: drawWithin(range) };
        seeds.push(seed);
        changed = withInput(changed, seed, seed.value);
      }
    }
    return { workflow: changed, seeds };
  }
}

/**
 * Is it worth asking about the class? Where an input holds what stands for an open seed, and where a node that is called like those
 * with seeds names none.
 */
function mayNeed({ class_type, inputs = {} }: WorkflowNode): boolean {
  if (Object.hasOwn(KNOWN_SEEDS, class_type)) return false;
  const entries = Object.entries(inputs);
  if (entries.some(([, value]) => value === null || isMinusOne(value))) return true;
  const named = entries.some(([input]) => /seed/i.test(input));
  return !named && /sampler|noise|seed|random|shuffle|train|generat/i.test(class_type);
}

function knownSeeds(classType: string): ReadonlyMap<string, SeedRange> {
  const input = Object.hasOwn(KNOWN_SEEDS, classType) ? KNOWN_SEEDS[classType] : undefined;
  return new Map(input === undefined ? [] : [[input, SAMPLER]]);
}

function isOpen(inputs: Record<string, unknown>, input: string, { min, required }: SeedRange): boolean {
  // Inputs of dynamic ones are there where their option is chosen.
  if (!Object.hasOwn(inputs, input)) return required && !input.includes('.');
  const value = inputs[input];
  return value === null || (isMinusOne(value) && min > -1);
}

function isMinusOne(value: unknown): boolean {
  return value === -1 || (typeof value === 'string' && value.trim() === '-1');
}

/**
 * Every whole number of the range with the same probability. From 0 on, where negative ones are allowed: extensions give those
 * meanings of their own. To 2^53 − 1: a reply holds it as a JSON number, which most clients read exactly up to there.
 */
function drawWithin({ min, max }: SeedRange): number {
  const low = max >= 0 ? Math.max(0, Math.ceil(min)) : Math.ceil(min);
  const high = Math.min(Math.floor(max), Number.MAX_SAFE_INTEGER);
  const span = BigInt(high) - BigInt(low) + 1n;
  const bits = BigInt(span.toString(2).length);
  for (;;) {
    // The first bits of 64, and again where they are beyond the range.
    const drawn = randomBytes(8).readBigUInt64BE() >> (64n - bits);
    if (drawn < span) return Number(BigInt(low) + drawn);
  }
}
