import { OssServer } from '../../../test/oss/index.js';
import { describeStorage } from '../storage.contract.spec-helper.js';
import { ossOptions, startOss } from './oss.storage.spec-helper.js';

for (const signatureVersion of ['v4', 'v1'] as const) {
  describeStorage(`OssStorage with ${signatureVersion}`, async () => {
    const server = await OssServer.start();
    const under = await startOss(ossOptions(server, { signatureVersion }));
    return {
      ...under,
      copies: (key) => Promise.resolve([server.objects.get(`comfy_images/${key}`)?.bytes ?? Buffer.alloc(0)]),
      stop: async () => {
        await under.stop();
        await server.stop();
      },
    };
  });
}
