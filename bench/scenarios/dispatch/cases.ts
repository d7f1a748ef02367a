import type { Arrival } from '../../arrivals.js';
import { randomFrom } from '../../../test/comfyui/media/random.js';
import { nextArrival, zipf } from '../../random.js';
import { textToImage } from '../../workflows.js';

/** What the contestants have to deal with. */
export interface Case {
  title: string;
  backends: number;
  models: number;
  /** Time of a job whose model is in memory, ms; about 6 more are the stand-in's own. */
  jobMs: number;
  /** Time of loading a model, ms. */
  loadMs: number;
  jobs: number;
  /**
   * `at once`: three callers a slot, who call again as soon as they have their answer. `poisson`: callers come by
   * chance, at `POISSON_LOAD` of what the backends could do if nobody ever had to load a model.
   */
  arrival: 'at once' | 'poisson';
  /** How often all contestants have their turn: what is close to a tie is decided by chance in one. */
  rounds: number;
  /** Left out of a first look. */
  long?: boolean;
}

/** Prompts that the service keeps in one ComfyUI: one runs, one waits there. Its default. */
const SLOTS = 2;
const CALLERS_PER_SLOT = 3;
const POISSON_LOAD = 0.7;
const OVERHEAD_MS = 6;
const SEED = 20_250_101;

/** Loading a model costs as much as five jobs, or nothing; with more backends jobs are longer, for the sake of our own processor. */
const FEW = { backends: 4, jobMs: 40, loadMs: 200, jobs: 120, rounds: 1 };
const MANY = { backends: 20, jobMs: 160, loadMs: 800, jobs: 200, rounds: 1 };

export const CASES: readonly Case[] = [
  { ...FEW, title: '3 models on 4 backends, all at once', models: 3, arrival: 'at once' },
  { ...FEW, title: '3 models on 4 backends, by chance', models: 3, arrival: 'poisson', long: true },
  { ...FEW, title: '6 models on 4 backends, all at once', models: 6, arrival: 'at once' },
  { ...MANY, title: '6 models on 20 backends, all at once', models: 6, arrival: 'at once' },
  { ...MANY, title: '6 models on 20 backends, by chance', models: 6, arrival: 'poisson', long: true },
  {
    ...FEW,
    title: 'control: 3 models on 4 backends that load in no time, all at once',
    models: 3,
    loadMs: 0,
    jobs: 160,
    rounds: 3,
    arrival: 'at once',
  },
];

/** How many call at once where nobody comes by chance. */
export const callersOf = ({ backends }: Case) => backends * SLOTS * CALLERS_PER_SLOT;

export const modelNames = ({ models }: Case) =>
  Array.from({ length: models }, (_, index) => `model-${index + 1}.safetensors`);

/** The jobs of a case, the same ones each time: the first model is the most popular, the n-th a n-th as much. */
export function jobsOf(which: Case, count: number): Arrival[] {
  const random = randomFrom(SEED);
  const names = modelNames(which);
  const perMs = (POISSON_LOAD * which.backends) / (which.jobMs + OVERHEAD_MS);
  let atMs = 0;
  return Array.from({ length: count }, (_, salt) => {
    const graph = textToImage(names[zipf(names.length, random)] ?? '', salt);
    const job = { graph, atMs };
    atMs += nextArrival(perMs, random);
    return job;
  });
}
