import { afterEach, describe, expect, it, vi } from 'vitest';
import { Storage, StorageError } from '../../src/storage/index.js';
import { OssServer } from '../oss/index.js';
import { Fleet, SOON } from './support/backends.js';
import { ossEnv } from './support/oss.js';
import { big, picture } from './support/workflows.js';

let fleet: Fleet;
afterEach(() => fleet.stop());

const MIB = 1024 * 1024;

describe('what is rendered is not rendered again', () => {
  it.each([
    ['is cut off', () => fleet.at(0).faults.truncateView(100, 2)],
    ['is reset', () => fleet.at(0).faults.resetNext('GET /view', 2)],
    ['is refused by a proxy', () => fleet.at(0).faults.failNext('GET /view', 502, '', 2)],
    ['never comes', () => fleet.at(0).faults.hangNext('GET /view', 1)],
  ])('where its file %s', async (_, trouble) => {
    fleet = await Fleet.start([{}, {}]);
    trouble();
    fleet.at(1).faults.failNext('POST /prompt', 503, '', 1_000);
    const reply = await fleet.generate(picture({ color: 0x55_66_77 }));
    expect(await fleet.colorOf(reply)).toBe(0x55_66_77);
    expect(fleet.rendered).toBe(1);
    expect(await fleet.gateway.files()).toHaveLength(1);
  });

  it('where ComfyUI dies in the middle of /view and is back', async () => {
    fleet = await Fleet.start([{}]);
    const comfy = fleet.at(0);
    comfy.faults.slowView(2 * MIB, 1);
    const call = fleet.generate(big(4 * MIB));
    await expect.poll(() => comfy.requests.some(({ route }) => route === 'GET /view'), SOON).toBe(true);
    await comfy.restart();
    expect((await call).outputs[0]?.size).toBe(4 * MIB);
    expect(fleet.rendered).toBe(1);
  });

  it('but where ComfyUI does not come back, another one does it', async () => {
    fleet = await Fleet.start([{}, {}]);
    for (const backend of fleet.backends) backend.faults.slowView(1 * MIB, 1);
    const call = fleet.generate(big(4 * MIB));
    const asked = () =>
      fleet.backends.find(({ requests }) => requests.some(({ route }) => route === 'GET /view'));
    await expect.poll(asked, SOON).toBeDefined();
    await asked()?.kill();
    for (const backend of fleet.backends) backend.faults.clear();
    const reply = await call;
    expect([reply.attempts, reply.outputs[0]?.size]).toEqual([2, 4 * MIB]);
    expect(await fleet.gateway.files()).toHaveLength(1);
  });

  it.each([
    ['full', new StorageError('storage_full', 'full', 'The disk of the output folder is full.')],
    ['read-only', new StorageError('storage_error', 'read_only', 'The output folder cannot be written to.')],
  ])('where the disk is %s for a while', async (_, error) => {
    fleet = await Fleet.start([{}]);
    const storage = fleet.gateway.app.get(Storage);
    const put = vi.spyOn(storage, 'put').mockRejectedValueOnce(error).mockRejectedValueOnce(error);
    const reply = await fleet.generate(picture({ color: 1 }));
    expect([reply.attempts, await fleet.colorOf(reply)]).toEqual([1, 1]);
    expect(put).toHaveBeenCalledTimes(3);
    expect(fleet.rendered).toBe(1);
  });

  it('and where the disk stays full, the caller is told in bounded time', async () => {
    fleet = await Fleet.start([{}], { comfy: { storeRetryMs: 300 } });
    const storage = fleet.gateway.app.get(Storage);
    vi.spyOn(storage, 'put').mockRejectedValue(new StorageError('storage_full', 'full', 'The disk is full.'));
    expect(await fleet.problem(picture())).toMatchObject({ status: 507, code: 'storage_full' });
    expect(fleet.rendered).toBe(1);
  });

  it('where OSS says no for longer than four tries take, hangs or resets', async () => {
    const oss = await OssServer.start();
    try {
      fleet = await Fleet.start([{}], {
        env: ossEnv(oss, { OSS_URL_MODE: 'proxy' }),
      });
      const put = { method: 'PUT' };
      oss.faults.add({ kind: 'error', status: 503, code: 'ServiceUnavailable' }, { ...put, times: 4 });
      oss.faults.add({ kind: 'reset', afterBytes: 10 }, put);
      oss.faults.add({ kind: 'lose-answer' }, put);
      const reply = await fleet.generate(picture({ color: 2 }));
      expect([reply.attempts, await fleet.colorOf(reply)]).toEqual([1, 2]);
      expect(oss.objects.size).toBe(1);
      expect(fleet.rendered).toBe(1);
    } finally {
      await oss.stop();
    }
  });
});

describe('a file that ComfyUI has cached and nobody finds', () => {
  it('is made again, where no folder of its own forces it', async () => {
    fleet = await Fleet.start([{}], { env: { COMFYUI_JOB_FOLDERS: 'false' } });
    const workflow = picture({ color: 3 });
    await fleet.generate(workflow);
    fleet.at(0).faults.deleteOutputFile({ filename: 'e2e_00001_.png', subfolder: '', type: 'output' });
    const reply = await fleet.generate(workflow);
    expect([reply.attempts, await fleet.colorOf(reply)]).toEqual([1, 3]);
  });

  it('is made again, with the cache emptied, where its node names it at random', async () => {
    fleet = await Fleet.start([{}]);
    const workflow = {
      '1': { class_type: 'EmptyImage', inputs: { width: 8, height: 8, batch_size: 1, color: 3 } },
      '277': { class_type: 'PreviewImage', inputs: { images: ['1', 0] } },
    };
    await fleet.generate(workflow);
    fleet.at(0).faults.failNext('GET /view', 404);
    const reply = await fleet.generate(workflow);
    expect([reply.attempts, await fleet.colorOf(reply)]).toEqual([2, 3]);
    const freed = fleet.at(0).requests.filter(({ route }) => route === 'POST /free');
    expect(freed.map(({ body }) => body)).toEqual([{ unload_models: false, free_memory: true }]);
  });
});
