import { InvalidWorkflow, JobFailed } from '@comfyorg/sdk';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Gateway } from '../e2e/support/gateway.js';
import { comfyAt, type OfficialClient } from '../e2e/support/official-sdk.js';
import { picture, salt } from '../e2e/support/workflows.js';

/** A picture that takes a while on every ComfyUI, without any model. */
function large() {
  return {
    '1': { class_type: 'EmptyImage', inputs: { width: 4_096, height: 4_096, batch_size: 4, color: salt() } },
    '2': {
      class_type: 'ImageScaleBy',
      inputs: { image: ['1', 0], upscale_method: 'lanczos', scale_by: 0.5 },
    },
    '9': { class_type: 'SaveImage', inputs: { images: ['2', 0], filename_prefix: 'e2e' } },
  };
}

/**
 * What users of the official SDK do, whatever ComfyUIs are behind the gateway: only nodes that every ComfyUI has. Runs
 * against stand-ins in every test run, and against real servers with `COMFYUI_TEST_URL`.
 */
export function describeOfficialSdk(name: string, comfyuiUrls: () => string): void {
  describe(`the official SDK with ${name}`, () => {
    let gateway: Gateway;
    let client: OfficialClient;

    beforeAll(async () => {
      gateway = await Gateway.start(comfyuiUrls(), {
        comfy: { limits: undefined, noBackendAfterMs: 10_000 },
      });
      client = comfyAt(gateway.url);
    });
    afterAll(() => gateway.stop());

    it('takes a file in and gives a picture out, on every one of them', async () => {
      const red = salt() % 200;
      const photo = await sharp({
        create: { width: 16, height: 16, channels: 3, background: { r: red, g: 1, b: 2 } },
      })
        .png()
        .toBuffer();
      const asset = client.assets.fromBytes(photo, { filename: 'photo.png' });
      await asset.commit();
      const jobs = await Promise.all(
        Array.from({ length: 6 }, (_, index) => {
          const workflow = client.workflows.fromJson({
            '1': { class_type: 'LoadImage', inputs: {} },
            // Never the same twice, so that each has to be run.
            '2': {
              class_type: 'ImageScale',
              inputs: {
                image: ['1', 0],
                upscale_method: 'nearest-exact',
                width: 16 + index,
                height: 16,
                crop: 'disabled',
              },
            },
            '9': { class_type: 'SaveImage', inputs: { images: ['2', 0], filename_prefix: 'e2e' } },
          });
          workflow.setInput('1', 'image', asset);
          return client.run(workflow);
        }),
      );
      for (const job of jobs) {
        const bytes = await job.getOutputs('9')[0]?.toBytes();
        const pixels = await sharp(Buffer.from(bytes ?? []))
          .removeAlpha()
          .raw()
          .toBuffer();
        expect([...pixels.subarray(0, 3)]).toEqual([red, 1, 2]);
      }
    });

    it('follows a job to its end', async () => {
      const job = await client.submit(client.workflows.fromJson(large()));
      const kinds: string[] = [];
      for await (const event of job.events()) kinds.push(event.kind);
      expect(kinds[0]).toBe('statusChange');
      expect(kinds.filter((kind) => kind === 'outputReady')).toHaveLength(4);
      expect(kinds.at(-1)).toBe('statusChange');
      expect((await job.refresh()).status).toBe('succeeded');
      expect((await job.getWorkflow()).format).toBe('api');
    });

    it('cancels', async () => {
      const jobs = await Promise.all(
        [large(), large(), large()].map((json) => client.submit(client.workflows.fromJson(json))),
      );
      for (const job of jobs) await job.cancel();
      for (const job of jobs) expect(['canceled', 'succeeded']).toContain((await job.wait()).status);
      expect(jobs.at(-1)?.status).toBe('canceled');
      await expect(jobs.at(-1)?.result()).rejects.toThrow(JobFailed);
      expect((await client.run(client.workflows.fromJson(picture()))).outputs).toHaveLength(1);
    });

    it('says what ComfyUI does not like', async () => {
      const workflow = client.workflows.fromJson({
        ...picture(),
        '5': { class_type: 'NoSuchNode', inputs: {} },
      });
      workflow.setInput('277', 'images', ['5', 0]);
      await expect(client.run(workflow)).rejects.toThrow(InvalidWorkflow);
    });
  });
}
