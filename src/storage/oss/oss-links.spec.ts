import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OssServer } from '../../../test/oss/index.js';
import { VECTORS } from '../../../test/oss/vectors.js';
import { png } from '../storage.contract.spec-helper.js';
import { type OssOptions, THIRTY_DAYS_S } from '../storage.options.js';
import { createAgents } from './oss-agents.js';
import { createClient } from './oss-client.js';
import { OssSigner } from './oss-signer.js';
import { BASE_URL, ossOptions, startOss } from './oss.storage.spec-helper.js';
import { V1Probe } from './v1-probe.js';

const KEY = 'image_1795460610911_0a1b2c3d4e5f.png';
const DAY_MS = 86_400_000;

describe('links to OSS', () => {
  let server: OssServer;
  let now: () => number;
  let stops: (() => Promise<void>)[];

  beforeEach(async () => {
    Logger.overrideLogger(false);
    now = Date.now;
    server = await OssServer.start({ now: () => now() });
    stops = [];
  });

  afterEach(async () => {
    for (const stop of stops) await stop();
    await server.stop();
    vi.useRealTimers();
  });

  async function start(more: Partial<OssOptions> = {}, parts: Parameters<typeof startOss>[1] = {}) {
    const under = await startOss(ossOptions(server, more), parts);
    stops.push(under.stop);
    return under;
  }

  it('of `direct` with V1 work for 30 days and say so', async () => {
    const { storage } = await start({ urlMode: 'direct', signatureVersion: 'v1' });
    const { key } = await storage.put({ body: png() });
    const { url, expiresAt } = await storage.link({ key });
    expect(Math.abs((expiresAt?.getTime() ?? 0) - Date.now() - 30 * DAY_MS)).toBeLessThan(2_000);
    expect((await fetch(url)).status).toBe(200);
    now = () => Date.now() + 29.99 * DAY_MS;
    expect((await fetch(url)).status).toBe(200);
    now = () => Date.now() + 30 * DAY_MS + 2_000;
    expect((await fetch(url)).status).toBe(403);
  });

  it('of `direct` with V4 are refused at boot, with the ways out', async () => {
    await expect(start({ urlMode: 'direct' })).rejects.toThrow(/auto or gateway.*proxy.*v1/s);
    const { storage } = await start({ urlMode: 'direct' }, { linkTtlSeconds: 604_800 });
    const { key } = await storage.put({ body: png() });
    const { url, expiresAt } = await storage.link({ key });
    expect(Math.abs((expiresAt?.getTime() ?? 0) - Date.now() - 7 * DAY_MS)).toBeLessThan(2_000);
    now = () => Date.now() + 7 * DAY_MS - 5_000;
    expect((await fetch(url)).status).toBe(200);
    now = () => Date.now() + 7 * DAY_MS + 2_000;
    expect((await fetch(url)).status).toBe(403);
  });

  it('of `gateway` and `proxy` lead here', async () => {
    for (const urlMode of ['gateway', 'proxy'] as const) {
      const { storage, links } = await start({ urlMode });
      const { url, expiresAt } = await storage.link({ key: KEY });
      expect(url).toMatch(new RegExp(`^${BASE_URL}/files/${KEY}\\?e=\\d+&k=k1&s=[\\w-]{43}$`));
      const query = Object.fromEntries(new URL(url).searchParams);
      expect(links.verify(KEY, query)).toEqual({ kind: 'valid', expiresAt });
      expect(storage.delivery).toBe(urlMode === 'proxy' ? 'stream' : 'redirect');
    }
  });

  it('of `public` are unsigned and do not expire', async () => {
    const own = await start({ urlMode: 'public' });
    expect(await own.storage.link({ key: KEY })).toEqual({
      url: `${server.endpoint}/gw-images/comfy_images/${KEY}`,
      expiresAt: null,
    });
    const cdn = await start({
      urlMode: 'public',
      publicBaseUrl: 'https://cdn.example.com/',
      basePath: '/a//b c/',
    });
    expect((await cdn.storage.link({ key: KEY })).url).toBe(`https://cdn.example.com/a//b%20c/${KEY}`);
    const { key } = await own.storage.put({ body: png() });
    expect(server.objects.get(`comfy_images/${key}`)?.headers['cache-control']).toContain('public');
  });

  it.each([
    ['oss-cn-hangzhou-internal.aliyuncs.com', undefined, 'gw-images.oss-cn-hangzhou.aliyuncs.com'],
    ['oss-cn-hangzhou-internal.aliyuncs.com', 'https://img.example.com', 'img.example.com'],
    ['oss-cn-hangzhou.aliyuncs.com', undefined, 'gw-images.oss-cn-hangzhou.aliyuncs.com'],
  ])(
    'with the endpoint %s and the public one %s are signed for %s',
    async (endpoint, publicEndpoint, host) => {
      const { storage } = await start({ endpoint, publicEndpoint, region: undefined });
      const { url } = await storage.presign(KEY, { method: 'GET', ttlSeconds: 60 });
      expect(new URL(url).host).toBe(host);
      expect(url).toMatch(/^https:/);
      expect(url).toContain('cn-hangzhou');
    },
  );

  it('of `auto` lead straight to OSS where it takes V1, and nowhere before that is known', async () => {
    const { storage } = await start({ urlMode: 'auto' });
    expect((await storage.link({ key: KEY })).url).toContain('/files/');
    storage.onApplicationBootstrap();
    await expect.poll(async () => (await storage.link({ key: KEY })).url).toContain('OSSAccessKeyId=');
    const { key } = await storage.put({ body: png() });
    const { url, expiresAt } = await storage.link({ key });
    expect((await fetch(url)).status).toBe(200);
    expect(expiresAt?.getTime()).toBe(Number(new URL(url).searchParams.get('Expires')) * 1_000);
    expect(server.seen.every(({ method, scheme }) => method !== 'PUT' || scheme === 'v4-header')).toBe(true);
  });

  it('of `auto` lead here where OSS does not take V1', async () => {
    server.v1Disabled = true;
    const { storage } = await start({ urlMode: 'auto' });
    storage.onApplicationBootstrap();
    await expect.poll(() => server.seen.filter(({ scheme }) => scheme.endsWith('query')).length).toBe(2);
    const { key } = await storage.put({ body: png() });
    expect((await storage.link({ key })).url).toContain('/files/');
    const { url } = await storage.presign(key, { method: 'GET', ttlSeconds: 60 });
    expect((await fetch(url)).status).toBe(200);
  });

  it('of `auto` with V1 are signed with it, without asking', async () => {
    const { storage } = await start({ urlMode: 'auto', signatureVersion: 'v1', region: undefined });
    expect((await storage.link({ key: KEY })).url).toContain('OSSAccessKeyId=');
  });

  describe('V1Probe', () => {
    function makeProbe(secret = server.key.secret, pausesMs = [10, 10, 10]) {
      const options = ossOptions(server, { accessKeySecret: secret });
      const agents = createAgents(4);
      const endpoint = {
        protocol: 'http:',
        host: `localhost:${server.port}`,
        publicHost: '',
        style: 'path',
        region: 'cn-hangzhou',
        warnings: [],
      } as const;
      const signer = new OssSigner(
        createClient(options, { ...endpoint, warnings: [] }, endpoint.host, agents),
        'v4',
      );
      const ttlSeconds = THIRTY_DAYS_S;
      const probe = new V1Probe({ signer, agents, ttlSeconds, absentName: () => 'absent', pausesMs });
      stops.push(() => {
        probe.stop();
        agents.http.destroy();
        return Promise.resolve();
      });
      return probe;
    }

    it('asks again while the answer is no answer', async () => {
      const probe = makeProbe();
      server.faults.add({ kind: 'error', status: 503, code: 'ServiceUnavailable' }, { times: 2 });
      server.faults.add({ kind: 'raw', status: 403, body: 'a firewall' }, { times: 2 });
      probe.start();
      expect(probe.accepted).toBeUndefined();
      await expect.poll(() => probe.accepted).toBe(true);
      expect(server.seen).toHaveLength(6);
    });

    it('says nothing, and stops asking, where nothing works', async () => {
      const probe = makeProbe('wrong');
      probe.start();
      await expect.poll(() => server.seen.length).toBe(8);
      await new Promise((resolve) => setTimeout(resolve, 60));
      expect([probe.accepted, server.seen.length]).toEqual([undefined, 8]);
    });

    it('asks for the first file where an absent one is forbidden', async () => {
      const probe = makeProbe(undefined, [60_000]);
      server.faults.add({ kind: 'error', status: 403, code: 'AccessDenied' }, { times: 2 });
      probe.start();
      await expect.poll(() => server.seen.length).toBe(2);
      expect(probe.accepted).toBeUndefined();
      server.v1Disabled = true;
      server.objects.set('present', {
        bytes: png(),
        etag: '""',
        md5: Buffer.alloc(16),
        lastModified: new Date(),
        headers: {},
      });
      await new Promise((resolve) => setTimeout(resolve, 10));
      probe.offer('present');
      await expect.poll(() => probe.accepted).toBe(false);
    });
  });

  describe('OssSigner', () => {
    const { accessKeyId, accessKeySecret } = VECTORS.credentials.main;
    const options = { endpoint: '', bucket: 'gw-images', accessKeyId, accessKeySecret };
    const endpoint = {
      protocol: 'https:',
      host: 'oss-cn-hangzhou.aliyuncs.com',
      publicHost: '',
      style: 'virtual',
      region: 'cn-hangzhou',
      warnings: [],
    } as const;
    const agents = createAgents(1);
    const signer = new OssSigner(
      createClient(options, { ...endpoint, warnings: [] }, endpoint.host, agents),
      'v4',
    );
    const NAME = 'ai/2026/03/image_1234567890.png';

    it('signs as recorded', async () => {
      vi.useFakeTimers({ now: new Date(VECTORS.clock), toFake: ['Date'] });
      const recorded = (id: string) => VECTORS.vectors.find((vector) => vector.id === id)?.request.url;
      expect(await signer.signV4(NAME, { method: 'GET', ttlSeconds: 604_800 })).toEqual({
        url: recorded('v4q-get-7d'),
        expiresAt: new Date(Date.parse(VECTORS.clock) + 7 * DAY_MS),
      });
      expect(signer.signV1(NAME, { method: 'GET', ttlSeconds: THIRTY_DAYS_S })).toEqual({
        url: recorded('v1q-get-30d'),
        expiresAt: new Date(Date.parse(VECTORS.clock) + 30 * DAY_MS),
      });
    });

    it.each([0, -1, Number.NaN, 1e12, 1.5, '2592000' as unknown as number])(
      'does not sign for %j s',
      async (ttlSeconds) => {
        expect(() => signer.signV1(NAME, { method: 'GET', ttlSeconds })).toThrow(RangeError);
        await expect(signer.signV4(NAME, { method: 'GET', ttlSeconds })).rejects.toThrow(RangeError);
      },
    );

    it('does not sign longer with V4 than OSS takes', async () => {
      await expect(signer.signV4(NAME, { method: 'GET', ttlSeconds: 604_801 })).rejects.toThrow(RangeError);
    });
  });
});
