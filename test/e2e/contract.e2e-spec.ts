import { afterAll, beforeAll, describe } from 'vitest';
import { ComfyStandin } from '../comfyui/index.js';
import { describeGateway } from '../contract/gateway.contract.js';

describe.each([
  { name: 'ComfyUI 0.3.64 (stand-in)', legacy: false },
  { name: 'ComfyUI 0.3.11 (stand-in)', legacy: true },
])('$name', ({ name, legacy }) => {
  let comfy: ComfyStandin;
  beforeAll(async () => {
    comfy = await ComfyStandin.start({ legacy });
  });
  afterAll(() => comfy.stop());
  describeGateway(name, () => comfy.url);
});
