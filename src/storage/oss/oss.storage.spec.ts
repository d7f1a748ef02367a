import { OssServer } from '../../../test/oss/index.js';
import { describeStorage } from '../storage.contract.spec-helper.js';
import { ossOptions, startOss } from './oss.storage.spec-helper.js';

for (const signatureVersion of ['v4', 'v1'] as const) {
  describeStorage(`OssStorage with ${signatureVersion}`, async () => {
    const server = await OssServer.start();
    const under = await startOss(ossOptions(server, { signatureVersion }));
    return {
      ...under,
      elsewhere: 1,
      copies: (key) => {
        const object = server.objects.get(`comfy_images/${key}`);
        return Promise.resolve(object === undefined ? [] : [object.bytes]);
      },
      stop: async () => {
        await under.stop();
        await server.stop();
      },
    };
  });
}
