import { describe, expect, it } from 'vitest';
import { parseComfyuiServer } from './comfyui-server.js';

describe('parseComfyuiServer', () => {
  it.each([
    ['127.0.0.1:8188', 'http://127.0.0.1:8188', '127.0.0.1:8188'],
    ['gpu', 'http://gpu:8188', 'gpu:8188'],
    ['gpu:80', 'http://gpu', 'gpu'],
    [' gpu:9000 ', 'http://gpu:9000', 'gpu:9000'],
    ['gpu:9000/comfy/', 'http://gpu:9000/comfy', 'gpu:9000/comfy'],
    ['[::1]:8188', 'http://[::1]:8188', '[::1]:8188'],
    ['[::1]', 'http://[::1]:8188', '[::1]:8188'],
    ['::1', 'http://[::1]:8188', '[::1]:8188'],
    ['http://gpu', 'http://gpu', 'gpu'],
    ['https://gpu.example.com/a/b/', 'https://gpu.example.com/a/b', 'gpu.example.com/a/b'],
    ['HTTPS://gpu:8443', 'https://gpu:8443', 'gpu:8443'],
  ])('%s → %s', (text, url, name) => {
    expect(parseComfyuiServer(text)).toEqual({ url, name, headers: {}, query: {} });
  });

  it('takes a query token and credentials, and keeps both out of the name', () => {
    expect(parseComfyuiServer('https://me:p%40ss@gpu/comfy?token=abc')).toEqual({
      url: 'https://gpu/comfy',
      name: 'gpu/comfy',
      headers: { authorization: `Basic ${Buffer.from('me:p@ss').toString('base64')}` },
      query: { token: 'abc' },
    });
  });

  it.each(['', ' ', 'ftp://gpu', 'ws://gpu', 'http://', 'gpu:port', 'gpu:99999', 'http://gpu/#x', 'a b'])(
    'refuses %j',
    (text) => {
      expect(() => parseComfyuiServer(text)).toThrow();
    },
  );
});
