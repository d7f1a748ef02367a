import { afterAll, beforeAll, describe } from 'vitest';
import { ComfyStandin } from '../comfyui/index.js';
import { describeGateway } from '../contract/gateway.contract.js';
import { describeOfficialSdk } from '../contract/official-sdk.contract.js';

describe.each([
  { name: 'ComfyUI 0.3.64 (stand-in)', legacy: false },
  { name: 'ComfyUI 0.3.11 (stand-in)', legacy: true },
])('$name', ({ name, legacy }) => {
  let comfy: ComfyStandin;
  let other: ComfyStandin;
  beforeAll(async () => {
    [comfy, other] = await Promise.all([ComfyStandin.start({ legacy }), ComfyStandin.start()]);
  });
  afterAll(() => Promise.all([comfy.stop(), other.stop()]));
  describeGateway(name, () => comfy.url);
  describeOfficialSdk(`${name} and another one`, () => `${comfy.url},${other.url}`);
});
