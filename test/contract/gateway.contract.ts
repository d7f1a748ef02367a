import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { firstValueFrom, toArray } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ComfyService } from '../../src/comfy/index.js';
import { Gateway, readProblem } from '../e2e/support/gateway.js';
import { picture, salt } from '../e2e/support/workflows.js';

const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest('hex');

/** The bytes as ComfyUI itself has them: each job has a folder of its own there. */
async function bytesOnComfyui(comfyui: string, jobId: string, filename = 'e2e_00001_.png'): Promise<Buffer> {
  const day = new Date().toISOString().slice(0, 10).replaceAll('-', '');
  const subfolder = `sync/${day}/${jobId.slice(-2)}/${jobId}`;
  const query = new URLSearchParams({ filename, subfolder, type: 'output' });
  const response = await fetch(`${comfyui}/view?${query.toString()}`);
  expect(response.status).toBe(200);
  return Buffer.from(await response.arrayBuffer());
}

/**
 * What callers may rely on, whatever ComfyUI is behind it: only nodes that every ComfyUI has. Runs against the stand-in in
 * every test run, and against a real server with `COMFYUI_TEST_URL`.
 */
export function describeGateway(name: string, comfyuiUrl: () => string): void {
  describe(`the gateway in front of ${name}`, () => {
    let gateway: Gateway;

    beforeAll(async () => {
      gateway = await Gateway.start(comfyuiUrl(), { comfy: { limits: undefined, noBackendAfterMs: 10_000 } });
    });
    afterAll(() => gateway.stop());

    it('answers with a URL, whose bytes are those of ComfyUI and of the local copy', async () => {
      const color = salt();
      const reply = await gateway.generate({ workflow_data: picture({ color }), output_node_id: 277 });
      expect(reply.url).toMatch(/^\/output_images\/image_\d{13}_[0-9a-f]{12}\.png$/);
      expect(reply.outputs).toHaveLength(1);
      expect(reply.outputs[0]).toMatchObject({
        node_id: '277',
        index: 0,
        kind: 'image',
        content_type: 'image/png',
      });
      const served = await gateway.fetch(reply.url);
      expect(served.status).toBe(200);
      expect(served.headers.get('content-type')).toBe('image/png');
      expect(served.bytes.length).toBe(reply.outputs[0]?.size);
      const original = await bytesOnComfyui(comfyuiUrl(), reply.job_id);
      expect(md5(served.bytes)).toBe(md5(original));
      expect(md5(await readFile(join(gateway.folder, reply.outputs[0]?.filename ?? '')))).toBe(md5(original));
      const { data, info } = await sharp(served.bytes)
        .removeAlpha()
        .raw()
        .toBuffer({ resolveWithObject: true });
      expect(info).toMatchObject({ width: 64, height: 64 });
      expect(data.readUIntBE(0, 3)).toBe(color);
    });

    it('answers with the bytes', async () => {
      const response = await gateway.post('/api/generate_file', {
        workflow_data: picture(),
        output_node_id: '277',
      });
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('image/png');
      expect(response.headers.get('content-disposition')).toMatch(
        /^attachment; filename="image_\d+_[0-9a-f]+\.png"$/,
      );
      const bytes = Buffer.from(await response.arrayBuffer());
      expect(Number(response.headers.get('content-length'))).toBe(bytes.length);
      const original = await bytesOnComfyui(comfyuiUrl(), response.headers.get('job-id') ?? '');
      expect(md5(bytes)).toBe(md5(original));
    });

    it.each([
      ['response_type "file"', { response_type: 'file' }, {}],
      ['Accept: image/*', {}, { accept: 'image/*' }],
      ['Accept: image/webp,image/png;q=0.8', {}, { accept: 'image/webp,image/png;q=0.8' }],
    ])('/api/generate answers with the bytes for %s', async (_, extra, headers) => {
      const body = { workflow_data: picture(), output_node_id: 277, ...extra };
      const response = await gateway.post('/api/generate', body, { headers });
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('image/png');
      expect((await sharp(Buffer.from(await response.arrayBuffer())).metadata()).format).toBe('png');
    });

    it.each(['*/*', 'application/json', 'text/html,application/xhtml+xml,*/*;q=0.8'])(
      '/api/generate answers with JSON for Accept: %s',
      async (accept) => {
        const body = { workflow_data: picture(), output_node_id: 277 };
        const response = await gateway.post('/api/generate', body, { headers: { accept } });
        expect(response.headers.get('content-type')).toContain('application/json');
      },
    );

    it('takes a filename_prefix in any script', async () => {
      const workflow = picture();
      const inputs = { ...workflow['277']?.inputs, filename_prefix: '狐狸 é' };
      const reply = await gateway.generate({
        workflow_data: { ...workflow, '277': { class_type: 'SaveImage', inputs } },
        output_node_id: 277,
      });
      const original = await bytesOnComfyui(comfyuiUrl(), reply.job_id, '狐狸 é_00001_.png');
      expect(md5((await gateway.fetch(reply.url)).bytes)).toBe(md5(original));
    });

    it('finds the output node by itself', async () => {
      const workflow = {
        ...picture(),
        '100': { class_type: 'PreviewImage', inputs: { images: ['1', 0] } },
      };
      expect((await gateway.generate({ workflow_data: workflow })).outputs[0]?.node_id).toBe('277');
    });

    it('gives every file of a batch, in order, and the one that is asked for', async () => {
      const scaled = {
        '1': { class_type: 'EmptyImage', inputs: { width: 32, height: 32, batch_size: 3, color: salt() } },
        '2': {
          class_type: 'ImageScale',
          inputs: {
            image: ['1', 0],
            upscale_method: 'nearest-exact',
            width: 48,
            height: 40,
            crop: 'disabled',
          },
        },
        '277': { class_type: 'SaveImage', inputs: { images: ['2', 0], filename_prefix: 'e2e' } },
      };
      const reply = await gateway.generate({ workflow_data: scaled, output_node_id: 277, output_index: 2 });
      expect(reply.outputs.map(({ index }) => index)).toEqual([0, 1, 2]);
      expect(new Set(reply.outputs.map(({ filename }) => filename)).size).toBe(3);
      expect(reply.url).toBe(reply.outputs[2]?.url);
      for (const output of reply.outputs) {
        const { bytes } = await gateway.fetch(output.url);
        const number = String(output.index + 1).padStart(5, '0');
        const original = await bytesOnComfyui(comfyuiUrl(), reply.job_id, `e2e_${number}_.png`);
        expect(md5(bytes)).toBe(md5(original));
        expect(await sharp(bytes).metadata()).toMatchObject({ width: 48, height: 40 });
      }
    });

    it('takes previews for an output where they are asked for', async () => {
      const workflow = {
        '1': picture()['1'],
        '5': { class_type: 'PreviewImage', inputs: { images: ['1', 0] } },
      };
      const reply = await gateway.generate({ workflow_data: workflow, output_node_id: 5 });
      expect((await gateway.fetch(reply.url)).status).toBe(200);
    });

    it('takes pictures that come over the socket', async () => {
      const workflow = {
        '1': { class_type: 'EmptyImage', inputs: { width: 64, height: 64, batch_size: 2, color: salt() } },
        '277': { class_type: 'SaveImageWebsocket', inputs: { images: ['1', 0] } },
      };
      const reply = await gateway.generate({ workflow_data: workflow, output_node_id: 277 });
      expect(reply.outputs).toHaveLength(2);
      for (const { url } of reply.outputs) {
        const { bytes } = await gateway.fetch(url);
        expect(await sharp(bytes).metadata()).toMatchObject({ format: 'png', width: 64, height: 64 });
      }
    });

    it('takes no picture of a prompt that everybody hears of', async () => {
      const [color, other] = [salt(), salt()];
      const workflow = (of: number, batch: number) => ({
        '1': { class_type: 'EmptyImage', inputs: { width: 64, height: 64, batch_size: batch, color: of } },
        '277': { class_type: 'SaveImageWebsocket', inputs: { images: ['1', 0] } },
      });
      // Without a client id its frames come to every socket, untagged (42).
      const somebody = () =>
        fetch(`${comfyuiUrl()}/prompt`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ prompt: workflow(other, 8) }),
        });
      expect((await somebody()).status).toBe(200);
      const ours = gateway.generate({ workflow_data: workflow(color, 2), output_node_id: 277 });
      expect((await somebody()).status).toBe(200);
      const reply = await ours;
      expect(reply.outputs).toHaveLength(2);
      for (const { url } of reply.outputs) {
        const raw = await sharp((await gateway.fetch(url)).bytes)
          .removeAlpha()
          .raw()
          .toBuffer();
        expect(raw.readUIntBE(0, 3)).toBe(color);
      }
    });

    it('does not mind numbers in other people’s prompts that JSON does not know', async () => {
      const prompt = JSON.stringify(picture({ batch: 64, width: 256, height: 256 }));
      const body = `{"prompt": ${prompt}, "extra_data": {"x": [NaN, Infinity, -Infinity]}}`;
      const somebody = () => fetch(`${comfyuiUrl()}/prompt`, { method: 'POST', body });
      expect((await somebody()).status).toBe(200);
      const comfy = gateway.app.get(ComfyService);
      const { id } = await comfy.submit({ workflow: picture(), outputNode: '277' });
      const updates = comfy.watch(id).pipe(toArray());
      const ended = firstValueFrom(updates);
      comfy.cancel(id);
      await ended;
      // What is cancelled has to be found in the queue first.
      await expect
        .poll(() => comfy.backends.every(({ busySlots }) => busySlots === 0), { timeout: 10_000 })
        .toBe(true);
      expect((await gateway.generate({ workflow_data: picture(), output_node_id: 277 })).attempts).toBe(1);
    });

    it('tells progress as it goes', async () => {
      const comfy = gateway.app.get(ComfyService);
      const { id } = await comfy.submit({ workflow: picture(), outputNode: '277' });
      const updates = await firstValueFrom(comfy.watch(id).pipe(toArray()));
      expect(updates.at(-1)?.state.status).toBe('succeeded');
      const values = updates.flatMap(({ event }) =>
        event?.type === 'progress' ? [event.progress.value] : [],
      );
      expect(values.length).toBeGreaterThan(0);
      expect(values).toEqual([...values].sort((a, b) => a - b));
    });

    it('answers many at once, each with its own picture', async () => {
      const colors = Array.from({ length: 24 }, () => salt());
      await Promise.all(
        colors.map(async (color) => {
          const response = await gateway.post('/api/generate_file', {
            workflow_data: picture({ color, width: 16, height: 16 }),
            output_node_id: 277,
          });
          const bytes = Buffer.from(await response.arrayBuffer());
          const raw = await sharp(bytes).removeAlpha().raw().toBuffer();
          expect(raw.readUIntBE(0, 3)).toBe(color);
        }),
      );
    });

    it('leaves nothing behind in ComfyUI’s history and queue', async () => {
      const { job_id } = await gateway.generate({ workflow_data: picture(), output_node_id: 277 });
      await expect
        .poll(async () => (await fetch(`${comfyuiUrl()}/history/${job_id}`)).json(), { timeout: 5_000 })
        .toEqual({});
    });

    it('passes on what ComfyUI says of a wrong value', async () => {
      const workflow = picture();
      workflow['1'] = {
        class_type: 'EmptyImage',
        inputs: { width: 64, height: -5, batch_size: 1, color: 0 },
      };
      const problem = await gateway.problem('/api/generate', {
        workflow_data: workflow,
        output_node_id: 277,
      });
      expect(problem).toMatchObject({ status: 422, code: 'invalid_workflow' });
      expect(problem.node_errors?.['1']).toMatchObject({
        class_type: 'EmptyImage',
        errors: [{ type: 'value_smaller_than_min', input: 'height' }],
      });
    });

    it.each([
      ['an unknown node', { '1': { class_type: 'NoSuchNode', inputs: {} } }, 'invalid_workflow'],
      ['no output node', { '1': picture()['1'] }, 'invalid_workflow'],
      ['the page’s own format', { nodes: [], links: [], version: 0.4 }, 'workflow_format_ui'],
      ['nothing', {}, 'invalid_workflow'],
    ])('refuses %s', async (_, workflow, code) => {
      const response = await gateway.post('/api/generate', { workflow_data: workflow });
      expect(await readProblem(response)).toMatchObject({ status: 422, code });
    });

    it('is ready', async () => {
      expect((await gateway.fetch('/health/ready')).status).toBe(200);
    });
  });
}
