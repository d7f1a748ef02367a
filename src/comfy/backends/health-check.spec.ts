import { NEVER, of, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { BackendError, type ComfyClient, type FileToUpload, type RunRequest } from '../client/index.js';
import { ComfyError, type ComfyErrorCode, type ComfyErrorReason } from '../comfy.error.js';
import { HealthCheck } from './health-check.js';

type Client = Pick<ComfyClient, 'run' | 'upload' | 'forget'>;

function check(
  client: Partial<Client>,
  more: { busy?: boolean; connected?: boolean; beginMs?: number } = {},
) {
  const runs: RunRequest[] = [];
  const uploads: FileToUpload[] = [];
  const health = new HealthCheck({
    client: {
      run: (request) => {
        runs.push(request);
        return client.run?.(request) ?? of({ type: 'started' as const });
      },
      upload: (file, signal) => {
        uploads.push(file);
        file.body.destroy();
        return client.upload?.(file, signal) ?? Promise.resolve(file.name);
      },
      forget: () => undefined,
    },
    knows: () => Promise.resolve(true),
    connected: () => more.connected ?? true,
    busy: () => more.busy ?? false,
    prompts: new Set(),
    rules: { checkPauseMs: 0, probeBytes: 2_000_000 },
    beginMs: more.beginMs ?? 1_000,
    closing: NEVER,
  });
  return { health, runs, uploads };
}

const failing = (code: ComfyErrorCode, reason?: ComfyErrorReason) => () =>
  throwError(() => new ComfyError(code, 'why', reason === undefined ? {} : { reason }));

describe('the health check', () => {
  it('of prompts computes something new on the device, before everything that waits', async () => {
    const { health, runs } = check({});
    expect(await health.ask('prompt')).toEqual({ is: 'works' });
    expect(await health.ask('prompt')).toEqual({ is: 'works' });
    const classes = Object.values(runs[0]?.workflow ?? {}).map(({ class_type }) => class_type);
    expect(classes).toEqual(['EmptyImage', 'ImageBlur', 'PreviewImage']);
    expect(runs.map(({ front }) => front)).toEqual([true, true]);
    expect(runs[0]?.workflow['1']).not.toEqual(runs[1]?.workflow['1']);
  });

  it.each([
    ['node_execution_error', undefined, 'broken'],
    ['out_of_memory', undefined, 'broken'],
    ['no_backend', undefined, 'broken'],
    ['backend_lost', undefined, 'broken'],
    ['job_stalled', undefined, 'broken'],
    ['job_stalled', 'not_begun', 'broken'],
    ['invalid_workflow', undefined, 'unknown'],
    ['interrupted', undefined, 'unknown'],
    ['backend_lost', 'struck', 'unknown'],
  ] as const)('that ends with %s (%s): %s', async (code, reason, is) => {
    expect(await check({ run: failing(code, reason) }).health.ask('prompt')).toMatchObject({ is });
  });

  it('that waits behind a job for too long says nothing', async () => {
    const { health } = check({ run: () => NEVER }, { busy: true, beginMs: 5 });
    expect(await health.ask('prompt')).toEqual({ is: 'unknown' });
  });

  it('of the disk writes to each folder, and gives the space back', async () => {
    const { health, uploads } = check({});
    expect(await health.ask('disk')).toEqual({ is: 'works' });
    expect(uploads.map(({ type, size }) => [type, size])).toEqual(
      ['output', 'temp', 'input'].flatMap((type) => [
        [type, 2_000_000],
        [type, 1],
      ]),
    );
    expect(uploads.every(({ overwrite, name }) => overwrite === true && name === 'check.bin')).toBe(true);
  });

  it.each([
    [500, 'broken'],
    [502, 'unknown'],
    [403, 'unknown'],
    [413, 'unknown'],
  ])('of the disk that is answered with %i: %s', async (status, is) => {
    const upload = () => Promise.reject(new BackendError('status', '', status));
    expect(await check({ upload }).health.ask('disk')).toMatchObject({ is });
  });

  it('writes less where a proxy takes no more', async () => {
    const upload = ({ size, name }: FileToUpload) =>
      size > 1_048_576 ? Promise.reject(new BackendError('status', '', 413)) : Promise.resolve(name);
    expect(await check({ upload }).health.ask('disk')).toEqual({ is: 'works' });
  });

  it('is made once for all who ask before it begins, and again for those who ask later', async () => {
    const { health, runs } = check({});
    await Promise.all([health.ask('prompt'), health.ask('prompt'), health.ask('prompt')]);
    expect(runs).toHaveLength(1);
    await health.ask('prompt');
    expect(runs).toHaveLength(2);
  });

  it('is not made without a connection', async () => {
    const { health, runs, uploads } = check({}, { connected: false });
    expect(await Promise.all([health.ask('prompt'), health.ask('disk')])).toEqual([
      { is: 'unknown' },
      { is: 'unknown' },
    ]);
    expect([runs, uploads.length]).toEqual([[], 0]);
  });
});
