import { afterEach, describe, expect, it } from 'vitest';
import { OssServer } from '../oss/index.js';
import { Fleet } from './support/backends.js';
import { ossEnv } from './support/oss.js';

/** A video of real frames, as SaveVideo writes it. */
const VIDEO = {
  '1': { class_type: 'EmptyImage', inputs: { width: 64, height: 48, batch_size: 12, color: 0x20_80_c0 } },
  '2': { class_type: 'CreateVideo', inputs: { images: ['1', 0], fps: 12 } },
  '277': {
    class_type: 'SaveVideo',
    inputs: { video: ['2', 0], filename_prefix: 'clip', format: 'auto', codec: 'auto' },
  },
};

let fleet: Fleet;
let oss: OssServer | undefined;
afterEach(async () => {
  await fleet.stop();
  await oss?.stop();
  oss = undefined;
});

/** Ways that lead to a stored file: its path, and the service's settings. */
const WAYS = {
  'the static folder': { env: {}, path: /^\/output_images\/video_/ },
  'a signed link': { env: { OSS_URL_MODE: 'proxy' }, path: /^\/files\/video_/ },
  'an asset': { env: {}, path: /^\/api\/v2\/assets\/.*\/content$/ },
};

async function open(way: keyof typeof WAYS) {
  const { env, path } = WAYS[way];
  if (way === 'a signed link') oss = await OssServer.start();
  fleet = await Fleet.start([{}], { env: oss === undefined ? env : ossEnv(oss, env) });
  const reply = await fleet.generate(VIDEO);
  const [output] = reply.outputs;
  expect(output).toMatchObject({ kind: 'video', content_type: 'video/mp4' });
  let url = new URL(reply.url, fleet.gateway.url);
  if (way === 'an asset') {
    const job = await fetch(`${fleet.gateway.url}/api/v2/jobs/${reply.job_id}`);
    const { outputs } = (await job.json()) as { outputs: { id: string; type: string }[] };
    expect(outputs[0]?.type).toBe('video');
    url = new URL(`/api/v2/assets/${outputs[0]?.id}/content`, fleet.gateway.url);
  }
  expect(url.pathname).toMatch(path);
  return (headers: Record<string, string> = {}, method = 'GET') =>
    fleet.gateway.fetch(url.href, { method, headers: { 'accept-encoding': 'identity', ...headers } });
}

describe.each(Object.keys(WAYS) as (keyof typeof WAYS)[])('a stored video by %s', (way) => {
  it('can be watched from anywhere in it', async () => {
    const get = await open(way);
    const whole = await get();
    const { length: size } = whole.bytes;
    expect([whole.status, whole.headers.get('content-type'), whole.headers.get('accept-ranges')]).toEqual([
      200,
      'video/mp4',
      'bytes',
    ]);
    expect(whole.bytes.subarray(4, 8).toString()).toBe('ftyp');
    expect(size).toBeGreaterThan(1_000);

    for (const [range, start, end] of [
      ['bytes=0-', 0, size - 1],
      ['bytes=100-199', 100, 199],
      ['bytes=100-99999999', 100, size - 1],
      ['bytes=-50', size - 50, size - 1],
      [`bytes=${size - 1}-`, size - 1, size - 1],
    ] as const) {
      const part = await get({ range });
      expect([range, part.status, part.headers.get('content-range')]).toEqual([
        range,
        206,
        `bytes ${start}-${end}/${size}`,
      ]);
      expect(part.headers.get('content-length')).toBe(String(end - start + 1));
      expect(part.headers.get('content-type')).toBe('video/mp4');
      expect(part.bytes.equals(whole.bytes.subarray(start, end + 1))).toBe(true);
    }

    // Not one range of bytes: the whole, as RFC 9110 allows.
    for (const range of ['bytes=0-1,5-6', 'lines=0-1', 'bytes=9-3', 'bytes=x']) {
      const answer = await get({ range });
      expect([range, answer.status, answer.bytes.equals(whole.bytes)]).toEqual([range, 200, true]);
    }

    for (const range of [`bytes=${size}-`, 'bytes=-0']) {
      const beyond = await get({ range });
      expect([range, beyond.status, beyond.headers.get('content-range')]).toEqual([
        range,
        416,
        `bytes */${size}`,
      ]);
    }

    const etag = whole.headers.get('etag') ?? '';
    const same = await get({ range: 'bytes=0-9', 'if-range': etag });
    const other = await get({ range: 'bytes=0-9', 'if-range': '"another"' });
    const dated = await get({ range: 'bytes=0-9', 'if-range': new Date(0).toUTCString() });
    expect([same.status, other.status, dated.status]).toEqual([206, 200, 200]);
    expect(other.bytes.equals(whole.bytes)).toBe(true);

    const beyond = await get({ range: `bytes=${size}-`, 'if-range': etag });
    const changed = await get({ range: `bytes=${size}-`, 'if-range': '"another"' });
    expect([beyond.status, changed.status]).toEqual([416, 200]);

    const head = await get({}, 'HEAD');
    expect([head.status, head.headers.get('content-length'), head.headers.get('accept-ranges')]).toEqual([
      200,
      String(size),
      'bytes',
    ]);
  });
});
