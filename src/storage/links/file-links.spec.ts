import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LocalStorage } from '../local/local.storage.js';
import { FileLinks } from './file-links.js';
import { keepLinkSecret } from './link-secret-file.js';

const KEY = 'image_1795460610911_0a1b2c3d4e5f.png';
const DAY_MS = 86_400_000;
const TTL_S = 30 * 86_400;
const [OLD, NEW] = [
  { id: 'old', secret: 'o'.repeat(32) },
  { id: 'new', secret: 'n'.repeat(32) },
];

describe('FileLinks', () => {
  const links = new FileLinks({ secrets: [NEW], ttlSeconds: TTL_S });

  afterEach(() => vi.useRealTimers());

  function sign(from = links) {
    const { url, expiresAt } = from.sign(KEY);
    const { pathname, searchParams } = new URL(url, 'http://here');
    expect(pathname).toBe(`/files/${KEY}`);
    return { url, expiresAt, query: Object.fromEntries(searchParams) };
  }

  it('are good for 30 days, and expired after that', () => {
    vi.useFakeTimers({ now: 1_800_000_000_123, toFake: ['Date'] });
    const { query, expiresAt } = sign();
    expect(expiresAt).toEqual(new Date(1_800_000_000_000 + TTL_S * 1_000));
    for (const days of [0, 8, 29.99]) {
      vi.setSystemTime(1_800_000_000_123 + days * DAY_MS);
      expect(links.verify(KEY, query)).toEqual({ kind: 'valid', expiresAt });
    }
    vi.setSystemTime(1_800_000_000_123 + 30 * DAY_MS + 1_000);
    expect(links.verify(KEY, query)).toEqual({ kind: 'expired' });
  });

  it('are invalid once anything is changed', () => {
    const { query } = sign();
    const { e = '', k = '', s = '' } = query;
    const flipped = (s.startsWith('A') ? 'B' : 'A') + s.slice(1);
    for (const changed of [
      { ...query, e: String(Number(e) + 1) },
      { ...query, e: `0${e}` },
      { ...query, e: `${e}.0` },
      { ...query, e: '9'.repeat(13) },
      { ...query, e: '' },
      { ...query, k: 'old' },
      { ...query, k: '__proto__' },
      { ...query, k: 'constructor' },
      { ...query, s: flipped },
      { ...query, s: s.slice(1) },
      { ...query, s: `${s}A` },
      { ...query, s: `${s.slice(0, -1)}=` },
      { ...query, s: '' },
      { e, k },
      { e, k, s: [s] },
      { e: [e], k, s },
      {},
    ]) {
      expect(links.verify(KEY, changed), JSON.stringify(changed)).toEqual({ kind: 'invalid' });
    }
    expect(links.verify(`x${KEY}`, query)).toEqual({ kind: 'invalid' });
  });

  it('that were tampered with do not tell whether they have expired', () => {
    const { query } = sign();
    expect(links.verify(KEY, { ...query, e: '1' })).toEqual({ kind: 'invalid' });
  });

  it('live on while their secret is known, and no longer', () => {
    const before = sign(new FileLinks({ secrets: [OLD], ttlSeconds: TTL_S }));
    const rotated = new FileLinks({ secrets: [NEW, OLD], ttlSeconds: TTL_S });
    expect(rotated.verify(KEY, before.query).kind).toBe('valid');
    expect(sign(rotated).query['k']).toBe('new');
    expect(links.verify(KEY, before.query).kind).toBe('invalid');
  });

  it('begin with the base URL where there is one', () => {
    const absolute = new FileLinks({
      secrets: [NEW],
      ttlSeconds: TTL_S,
      publicBaseUrl: 'https://a.example/base',
    });
    expect(absolute.sign(KEY).url).toMatch(/^https:\/\/a\.example\/base\/files\/image_/);
    expect(links.sign(KEY).url).toMatch(/^\/files\/image_/);
  });

  it.each([0, -1, Number.NaN, 1e12, 0.5, '2592000' as unknown as number])(
    'cannot live %j s',
    (ttlSeconds) => {
      expect(() => new FileLinks({ secrets: [NEW], ttlSeconds })).toThrow('accepted');
    },
  );

  it('need a secret', () => {
    expect(() => new FileLinks({ secrets: [], ttlSeconds: 1 })).toThrow('LINK_SECRETS');
  });
});

describe('keepLinkSecret', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'link-secret-'));
    const storage = await LocalStorage.create({ directory, maxFileBytes: 1, minFreeBytes: 0 });
    await storage.onApplicationShutdown();
  });

  afterEach(() => rm(directory, { recursive: true }));

  it('makes one secret, whoever comes first, and keeps it', async () => {
    const secrets = await Promise.all(Array.from({ length: 20 }, () => keepLinkSecret(directory)));
    expect(new Set(secrets.map(({ id, secret }) => `${id}:${secret}`)).size).toBe(1);
    expect(secrets[0]?.secret.length).toBeGreaterThanOrEqual(32);
    expect(await keepLinkSecret(directory)).toEqual(secrets[0]);
    expect(await readdir(join(directory, '.tmp'))).toEqual([]);
    expect((await stat(join(directory, '.link-secret'))).mode & 0o777).toBe(0o600);
  });

  it('does not replace one that is damaged', async () => {
    await writeFile(join(directory, '.link-secret'), 'half of');
    await expect(keepLinkSecret(directory)).rejects.toThrow('is damaged');
    expect(await readFile(join(directory, '.link-secret'), 'utf8')).toBe('half of');
  });
});
