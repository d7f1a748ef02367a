import { afterEach, describe, expect, it } from 'vitest';
import type { StandinOptions } from '../comfyui/index.js';
import { Fleet, SOON } from './support/backends.js';
import { slow, textToImage } from './support/workflows.js';

let fleet: Fleet;
const start = async (standin: StandinOptions = {}) => (fleet = await Fleet.start([standin]));
afterEach(() => fleet.stop());

/** Puts a job in line without waiting for it. */
const submit = async (workflow: unknown, outputNode: number): Promise<string> =>
  (await fleet.service.submit({ workflow, outputNode })).id;
const startOf = (id: string) => fleet.service.forecast(id).startsInMs;
const endOf = (id: string) => fleet.service.forecast(id).endsInMs;

/** Milliseconds of a step. With these steps it is long enough that what the service itself takes does not matter. */
const STEP_MS = 50;
const STEPS = 8;
const RUN_MS = STEP_MS * STEPS;
const picture = (seed: number) => textToImage(`a fox, no. ${seed}`, seed, STEPS);

/** Runs some of them to their end, one after the other. */
async function teach(): Promise<void> {
  for (let seed = 1; seed <= 3; seed += 1) await fleet.generate(picture(seed), { output_node_id: 9 });
}

describe('the forecast', () => {
  it('knows nothing of a workflow that it has not seen', async () => {
    await start({ stepDelayMs: STEP_MS });
    const [first, second] = [await submit(picture(1), 9), await submit(picture(2), 9)];
    expect(fleet.service.forecast(second)).toMatchObject({ endsInMs: undefined });
    expect(endOf(first)).toBeUndefined();
    expect(fleet.service.forecast('nobody')).toEqual({
      position: undefined,
      startsInMs: undefined,
      endsInMs: undefined,
    });
  });

  it('knows after some runs when each in line begins and ends', async () => {
    await start({ stepDelayMs: STEP_MS });
    await teach();
    const ids = await Promise.all(Array.from({ length: 6 }, (_, index) => submit(picture(10 + index), 9)));
    const [running = '', given = '', ...waiting] = ids;
    await expect.poll(() => startOf(running), SOON).toBe(0);
    expect(waiting.map((id) => fleet.service.forecast(id).position)).toEqual([0, 1, 2, 3]);
    const ends = ids.map((id) => endOf(id) ?? Number.NaN);
    expect(ends).toEqual(ends.toSorted((a, b) => a - b));
    for (const [index, end] of ends.entries()) {
      expect(end).toBeGreaterThan(RUN_MS * (index + 0.2));
      expect(end).toBeLessThan(RUN_MS * (index + 1) * 2.5 + 500);
    }
    expect(startOf(given)).toBeGreaterThan(0);
    expect(startOf(waiting[0] ?? '')).toBeGreaterThan(startOf(given) ?? Number.NaN);
    const last = ids.at(-1) ?? '';
    const [told, askedAt] = [endOf(last) ?? Number.NaN, Date.now()];
    await expect.poll(() => fleet.service.find(last)?.status, SOON).toBe('succeeded');
    const took = Date.now() - askedAt;
    expect(told).toBeGreaterThan(took / 2.5);
    expect(told).toBeLessThan(took * 2.5);
  });

  it('says no more behind one that nobody knows, and again once that shows how far it is', async () => {
    await start({ stepDelayMs: STEP_MS });
    await teach();
    const strange = await submit(slow({ steps: 100, delayMs: 60 }), 277);
    const [given, waiting] = [await submit(picture(20), 9), await submit(picture(21), 9)];
    await expect.poll(() => fleet.service.backends[0]?.running[0]?.begunAt, SOON).toBeDefined();
    expect(endOf(strange)).toBeUndefined();
    expect(startOf(given)).toBeUndefined();
    expect(fleet.service.forecast(waiting)).toEqual({
      position: 0,
      startsInMs: undefined,
      endsInMs: undefined,
    });
    await expect.poll(() => startOf(given), SOON).toBeGreaterThan(0);
    await expect.poll(() => endOf(waiting), SOON).toBeGreaterThan(RUN_MS);
  });

  it('tells callers who ask for their job', async () => {
    await start({ stepDelayMs: STEP_MS });
    await teach();
    const ids = await Promise.all(Array.from({ length: 3 }, (_, index) => submit(picture(30 + index), 9)));
    await expect.poll(() => startOf(ids[0] ?? ''), SOON).toBe(0);
    const { status, bytes } = await fleet.gateway.fetch(`/api/generate/${ids[2]}`);
    const pending = JSON.parse(bytes.toString()) as Record<string, unknown>;
    expect(status).toBe(202);
    expect(pending).toMatchObject({ status: 'queued', position: 0 });
    expect(pending['starts_in_ms']).toBeGreaterThan(RUN_MS / 2);
    expect(pending['ends_in_ms']).toBeGreaterThan(Number(pending['starts_in_ms']));
    const unknown = await submit(slow({ steps: 2 }), 277);
    const { bytes: reply } = await fleet.gateway.fetch(`/api/generate/${unknown}`);
    expect(JSON.parse(reply.toString())).not.toHaveProperty('ends_in_ms');
  });
});
