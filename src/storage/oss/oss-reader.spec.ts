import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import type { OssClient, OssReply } from './oss-client.js';
import { OssReader } from './oss-reader.js';

const KEY = 'image_1795460610911_0a1b2c3d4e5f.png';

describe('OssReader', () => {
  function read(headers: OssReply['headers'], range?: { start: number; end: number }) {
    const res = { status: 200, headers: { 'x-oss-request-id': '1', ...headers } };
    const getStream: OssClient['getStream'] = () =>
      Promise.resolve({ res, stream: Readable.from([Buffer.from('hello')]) });
    const reader = new OssReader({ getStream } as OssClient, (key) => key, {
      attempts: 1,
      baseMs: 1,
      capMs: 1,
    });
    return reader.open(KEY, range);
  }

  it('hands on what OSS sends', async () => {
    const file = await read({ 'content-length': '5', 'content-type': 'text/html' });
    expect(file).toMatchObject({ size: 5, contentType: 'image/png', kind: 'image' });
    expect((await buffer(file.stream)).toString()).toBe('hello');
  });

  it.each(['4', '6'])('does not end cleanly where %s bytes were announced', async (length) => {
    const { stream } = await read({ 'content-length': length });
    await expect(buffer(stream)).rejects.toMatchObject({ reason: 'integrity' });
  });

  it('does not take the whole for a part, nor an answer of somebody else', async () => {
    const integrity = { reason: 'integrity' };
    await expect(read({ 'content-length': '5' }, { start: 1, end: 2 })).rejects.toMatchObject(integrity);
    await expect(read({ 'content-length': '5', 'x-oss-request-id': undefined })).rejects.toMatchObject(
      integrity,
    );
    await expect(read({})).rejects.toMatchObject(integrity);
  });
});
