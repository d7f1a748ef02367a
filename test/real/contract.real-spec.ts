import { describe, it } from 'vitest';
import { describeGateway } from '../contract/gateway.contract.js';
import { describeOfficialSdk } from '../contract/official-sdk.contract.js';

/** One server or, for the SDK, several of them. */
const urls = process.env['COMFYUI_TEST_URL']?.split(',').map((url) => url.trim().replace(/\/+$/, '')) ?? [];
const [url = ''] = urls;

if (url === '') {
  describe('a real ComfyUI', () => {
    // oxlint-disable-next-line vitest/no-disabled-tests -- there is no server to test; the name says how to give one
    it.skip('skipped: say where it is, e.g. COMFYUI_TEST_URL=http://127.0.0.1:8188 npm run test:real', () =>
      undefined);
  });
} else {
  describeGateway(url, () => url);
  describeOfficialSdk(urls.join(' and '), () => urls.join(','));
}
