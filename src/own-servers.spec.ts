import { describe, expect, it } from 'vitest';
import { readSettings } from './config/index.js';
import { ownServersOf } from './own-servers.js';

const OSS = {
  ENABLE_OSS: 'true',
  OSS_ACCESS_KEY_ID: 'id',
  OSS_ACCESS_KEY_SECRET: 'secret',
  OSS_BUCKET_NAME: 'pics',
  OSS_ENDPOINT: 'oss-cn-hangzhou-internal.aliyuncs.com',
};
const of = (env: Record<string, string>) =>
  ownServersOf(readSettings({ ENABLE_OSS: 'false', ...env })).map(
    ({ host, port, publicAllowed }) => `${host} ${port}${publicAllowed === true ? ' public' : ''}`,
  );

describe('ownServersOf', () => {
  it('names every ComfyUI, and this server as it is known outside, at both ports of the web', () => {
    expect(of({ COMFYUI_SERVER: '10.0.0.7, http://gpu.example.com:9000/comfy, [fd12::7]:8188' })).toEqual([
      '10.0.0.7 8188',
      'gpu.example.com 9000',
      '[fd12::7] 8188',
    ]);
    expect(of({ COMFYUI_SERVER: 'a:1', SERVER_BASE_URL: 'https://pictures.example.com/base' })).toEqual([
      'a 1',
      'pictures.example.com 80',
      'pictures.example.com 443',
    ]);
  });

  it('names the bucket, whose links on the public internet stay open', () => {
    expect(of({ COMFYUI_SERVER: 'a:1', ...OSS })).toEqual([
      'a 1',
      'oss-cn-hangzhou-internal.aliyuncs.com 80 public',
      'oss-cn-hangzhou-internal.aliyuncs.com 443 public',
      'pics.oss-cn-hangzhou-internal.aliyuncs.com 80 public',
      'pics.oss-cn-hangzhou-internal.aliyuncs.com 443 public',
    ]);
  });
});
