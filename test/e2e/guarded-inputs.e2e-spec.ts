import { afterEach, describe, expect, it } from 'vitest';
import { Fleet, SOON } from './support/backends.js';
import { picture, textToImage } from './support/workflows.js';

let fleet: Fleet;
afterEach(() => fleet.stop());

const prompts = () => fleet.at(0).requests.filter(({ route }) => route === 'POST /prompt');
const loading = (image: string) => ({
  '10': { class_type: 'LoadImage', inputs: { image } },
  '277': { class_type: 'SaveImage', inputs: { images: ['10', 0], filename_prefix: 'in' } },
});

describe("paths out of ComfyUI's folders", () => {
  it('are refused on every face before anything runs', async () => {
    fleet = await Fleet.start([{}]);
    const { '1': source, '277': save } = picture();
    const saving = { '1': source, '277': { ...save, inputs: { ...save?.inputs, filename_prefix: '../x' } } };
    for (const [workflow, field] of [
      [loading('/etc/passwd'), '10.inputs.image'],
      [loading('sync/x.png [output]'), '10.inputs.image'],
      [saving, '277.inputs.filename_prefix'],
    ] as const) {
      expect(await fleet.problem(workflow)).toMatchObject({
        status: 422,
        code: 'invalid_input',
        errors: [{ field: `workflow_data.${field}` }],
      });
      const contract = await fleet.gateway.post('/api/v2/jobs', { workflow });
      expect([contract.status, await contract.text()]).toEqual([422, expect.stringContaining(field)]);
    }
    expect(prompts()).toEqual([]);
  });

  it('are passed on where the operator allows it', async () => {
    fleet = await Fleet.start([{}], { env: { COMFYUI_ALLOW_HOST_PATHS: 'true' } });
    await fleet.problem(loading('../nothing.png [output]'));
    expect(prompts()).toHaveLength(1);
  });
});

describe('a seed that is left open', () => {
  it('is drawn, told, and the same in every try and view', async () => {
    fleet = await Fleet.start([{ checkpoints: ['random-sd15.safetensors'] }]);
    const workflow = textToImage('a cat', -1);
    const response = await fleet.gateway.post('/api/generate', { workflow_data: workflow });
    const reply = (await response.json()) as { job_id: string; seeds: { value: number }[] };
    expect(response.status).toBe(200);
    const value = reply.seeds[0]?.value;
    expect(reply.seeds).toEqual([{ node_id: '3', input: 'seed', value: expect.any(Number) as number }]);
    expect(prompts()[0]?.text).toContain(`"seed":${value},`);
    const { bytes } = await fleet.gateway.fetch(`/api/v2/jobs/${reply.job_id}`);
    expect(JSON.parse(bytes.toString())).toMatchObject({ seeds: reply.seeds });
    const other = await fleet.gateway.post('/api/v2/jobs', { workflow });
    const { id } = (await other.json()) as { id: string };
    await expect.poll(() => fleet.service.find(id)?.seeds?.[0]?.value, SOON).not.toBe(value);
  });

  it('is none where the workflow names it', async () => {
    fleet = await Fleet.start([{ checkpoints: ['random-sd15.safetensors'] }]);
    const reply = await fleet.gateway.generate({ workflow_data: textToImage('a cat', 7) });
    expect(reply).not.toHaveProperty('seeds');
    expect(prompts()[0]?.text).toContain('"seed":7,');
  });
});
