import { describe, expect, it } from 'vitest';
import { FileLinks, type FileStat, type Storage, StorageError } from '../../storage/index.js';
import { OwnFiles } from './own-files.js';

const KEY = 'image_1795460610911_0a1b2c3d4e5f.png';
const LOOSE = 'image_1795460610911_aaaaaaaaaaaa.png';
const GONE = 'image_1795460610911_ffffffffffff.png';
const ID = 'a3c5d0c5-8c9f-4a9e-9a0b-4b2f2a1b7c11';
const OTHER_ID = 'b3c5d0c5-8c9f-4a9e-9a0b-4b2f2a1b7c11';

const links = new FileLinks({ secrets: [{ id: 'k', secret: 's'.repeat(32) }], ttlSeconds: 60 });
const expired = () => {
  const past = new FileLinks({ secrets: [{ id: 'k', secret: 's'.repeat(32) }], ttlSeconds: 1 });
  const now = Date.now;
  Date.now = () => now() - 10_000;
  try {
    return past.sign(KEY).url;
  } finally {
    Date.now = now;
  }
};

type Mode = 'plain' | 'signed' | 'public';
const open = (mode: Mode) => {
  const storage = {
    link: ({ key }: { key: string }) =>
      Promise.resolve(
        mode === 'signed'
          ? links.sign(key)
          : {
              url: `${mode === 'plain' ? '/output_images' : 'https://cdn.example.com/x'}/${key}`,
              expiresAt: null,
            },
      ),
    stat: (key: string) =>
      key === LOOSE
        ? Promise.resolve({ key } as FileStat)
        : Promise.reject(new StorageError('file_not_found', 'not_found', 'gone')),
  };
  const known = { id: ID, file: KEY };
  return new OwnFiles(storage as unknown as Storage, links, {
    find: (id: string) => (id.toLowerCase() === ID ? known : undefined) as never,
    findByFile: (file: string) => (file === KEY ? known : undefined) as never,
  });
};

describe('files of this server', () => {
  it.each<[Mode, string, object]>([
    ['plain', `/output_images/${KEY}`, { asset: ID }],
    ['plain', `output_images/${KEY}`, { asset: ID }],
    ['plain', ` ${KEY} `, { asset: ID }],
    ['plain', `http://127.0.0.1:3000/output_images/${KEY}`, { asset: ID }],
    ['plain', `https://pictures.example.com/base/output_images/${KEY}?x=1#y`, { asset: ID }],
    ['plain', `/output_images/${LOOSE}`, { key: LOOSE }],
    ['plain', ID, { asset: ID }],
    ['plain', ID.toUpperCase(), { asset: ID }],
    ['plain', `/api/v2/assets/${ID}/content`, { asset: ID }],
    ['plain', `http://x/api/v2/assets/${ID}/content`, { asset: ID }],
    ['signed', ID, { asset: ID }],
    ['signed', links.sign(KEY).url, { asset: ID }],
    ['signed', `http://x:1${links.sign(KEY).url}`, { asset: ID }],
    ['plain', links.sign(KEY).url, { asset: ID }],
    ['public', `https://cdn.example.com/x/${KEY}`, { asset: ID }],
  ])('%s: %s is known', async (mode, value, file) => {
    const own = open(mode);
    expect(own.isReference(value)).toBe(true);
    expect(await own.find(value)).toEqual(file);
  });

  it.each<[Mode, string, RegExp]>([
    ['plain', `/output_images/${GONE}`, /not there/],
    ['plain', `/api/v2/assets/${OTHER_ID}/content`, /not there/],
    ['signed', `/output_images/${KEY}`, /signed links only/],
    ['signed', KEY, /signed links only/],
    ['signed', `http://x/output_images/${KEY}`, /signed links only/],
    ['signed', `/files/${KEY}`, /signature/],
    ['signed', links.sign(KEY).url.replace(/s=.{10}/, 's=AAAAAAAAAA'), /signature/],
    ['signed', links.sign(LOOSE).url.replace(LOOSE, KEY), /signature/],
    ['signed', expired(), /expired/],
  ])('%s: %s cannot be had', async (mode, value, message) => {
    await expect(open(mode).find(value)).rejects.toMatchObject({ name: 'OwnFileError', message });
  });

  it.each<[Mode, string]>([
    ['plain', 'photo.png'],
    ['plain', 'sub/photo.png'],
    ['plain', '/etc/passwd'],
    ['plain', `/output_images/../${KEY}x`],
    ['plain', OTHER_ID],
    ['plain', `http://other.example.com/output_images/${GONE}`],
    ['plain', `https://bucket.oss-cn-hangzhou.aliyuncs.com/x/${KEY}?Signature=x`],
    ['public', `https://other.example.com/x/${KEY}`],
    ['plain', 'https://example.com/a.png'],
  ])('%s: %s is none', async (mode, value) => {
    expect(await open(mode).find(value)).toBeUndefined();
  });
});
