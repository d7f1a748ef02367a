import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { fromBuffer, type Entry, type ZipFile } from 'yauzl';
import { Storage } from '../../src/storage/index.js';
import { OssServer } from '../oss/index.js';
import { Fleet, SOON } from '../e2e/support/backends.js';
import type { GatewayOptions } from '../e2e/support/gateway.js';
import { ossEnv } from '../e2e/support/oss.js';
import { picture, salt, slow } from '../e2e/support/workflows.js';

let fleet: Fleet;
let oss: OssServer | undefined;
afterEach(async () => {
  vi.restoreAllMocks();
  await fleet.stop();
  await oss?.stop();
  oss = undefined;
});

const open = async (options: GatewayOptions = {}) => {
  fleet = await Fleet.start([{}], options);
};

interface Part {
  name: string;
  type: string | undefined;
  bytes: Buffer;
}

/** Three pictures of one batch and a text, on a node that makes them all. */
async function workflow(bytes?: Buffer) {
  const image =
    bytes ??
    (await sharp({ create: { width: 9, height: 9, channels: 3, background: '#123' } })
      .png()
      .toBuffer());
  const file = { file: 'png', bytes: image.toString('base64') };
  const lists = JSON.stringify({ text: ['a red fox'], images: [file, file, file] });
  return {
    '277': { class_type: 'ProbeLists', inputs: { lists, filename_prefix: `fox ${salt()}` } },
  };
}

/** So many files of so many bytes. */
const large = (count: number, size: number) => ({
  '277': {
    class_type: 'ProbeLists',
    inputs: {
      lists: JSON.stringify({ images: Array.from({ length: count }, () => ({ file: 'png', size })) }),
      filename_prefix: 'large',
    },
  },
});

const call = (accept: string | undefined, workflow_data: unknown, more: Record<string, unknown> = {}) =>
  fleet.gateway.post(
    '/api/generate_file',
    { workflow_data, output_node_id: 277, ...more },
    { headers: accept === undefined ? {} : { accept } },
  );

async function unzip(bytes: Buffer): Promise<Part[]> {
  const take = async (entry: Entry) => {
    // Stored, not packed a second time.
    expect(entry.compressionMethod).toBe(0);
    const chunks = (await (await read(entry)).toArray()) as Buffer[];
    parts.push({ name: entry.fileName, type: undefined, bytes: Buffer.concat(chunks) });
    zip.readEntry();
  };
  const zip = await promisify<Buffer, object, ZipFile>(fromBuffer)(bytes, { lazyEntries: true });
  const read = promisify<Entry, Readable>(zip.openReadStream.bind(zip));
  const parts: Part[] = [];
  return new Promise((resolve, reject) => {
    zip.on('error', reject);
    zip.on('end', () => resolve(parts));
    zip.on('entry', (entry: Entry) => void take(entry).catch(reject));
    zip.readEntry();
  });
}

/** RFC 2046, by the lengths that the parts announce. */
function readMultipart(body: Buffer, contentType: string): Part[] {
  const boundary =
    /^multipart\/mixed; boundary="([^"]+)"$/.exec(contentType)?.[1] ?? expect.fail(contentType);
  const parts: Part[] = [];
  let rest = body;
  const take = (text: string) => {
    expect(rest.subarray(0, text.length).toString()).toBe(text);
    rest = rest.subarray(text.length);
  };
  for (let first = true; ; first = false) {
    take(`${first ? '' : '\r\n'}--${boundary}`);
    if (rest.subarray(0, 2).toString() === '--') {
      take('--\r\n');
      expect(rest).toHaveLength(0);
      return parts;
    }
    take('\r\n');
    const end = rest.indexOf('\r\n\r\n');
    const head = rest.subarray(0, end).toString();
    const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1]);
    parts.push({
      name: /filename="([^"]+)"/i.exec(head)?.[1] ?? '',
      type: /^content-type: (.*)$/im.exec(head)?.[1],
      bytes: rest.subarray(end + 4, end + 4 + length),
    });
    rest = rest.subarray(end + 4 + length);
  }
}

async function read(response: Response): Promise<Part[]> {
  expect(response.status).toBe(200);
  const type = response.headers.get('content-type') ?? '';
  const body = Buffer.from(await response.arrayBuffer());
  expect(response.headers.get('content-length')).toBe(String(body.length));
  expect(response.headers.get('accept-ranges')).toBeNull();
  return type === 'application/zip' ? unzip(body) : readMultipart(body, type);
}

const FORMATS = [['application/zip'], ['multipart/mixed']] as const;

describe.each(FORMATS)('all files of a node as %s', (accept) => {
  it('in order, whole, each with its own name', async () => {
    await open();
    const response = await call(accept, await workflow());
    const id = response.headers.get('job-id') ?? '';
    const parts = await read(response);
    const { outputs } = (await (await fetch(`${fleet.gateway.url}/api/generate/${id}`)).json()) as {
      outputs: { url: string; content_type: string }[];
    };
    expect(parts.map(({ name }) => name.replace(/\d{2,}/, '…'))).toEqual([
      'fox …_00001_.png',
      'fox …_00002_.png',
      'fox …_00003_.png',
      'text.txt',
    ]);
    const stored = await Promise.all(outputs.map(({ url }) => fleet.gateway.fetch(url)));
    expect(parts.map(({ bytes }) => bytes.toString('base64'))).toEqual(
      stored.map(({ bytes }) => bytes.toString('base64')),
    );
    if (accept === 'multipart/mixed') {
      expect(parts.map(({ type }) => type)).toEqual(outputs.map(({ content_type }) => content_type));
    } else {
      expect(response.headers.get('content-disposition')).toBe(`attachment; filename="${id}.zip"`);
    }
  });

  it('the same later, and for who does not want to wait', async () => {
    await open();
    const workflow_data = slow({ steps: 3, delayMs: 30 });
    const pending = await fleet.gateway.post(
      '/api/generate_file',
      { workflow_data, output_node_id: 277 },
      { headers: { accept, prefer: 'respond-async' } },
    );
    expect(pending.status).toBe(202);
    const location = new URL(pending.headers.get('location') ?? '', fleet.gateway.url);
    const get = (headers: Record<string, string>) => fetch(location, { headers });
    const parts = await read(await get({ prefer: 'wait=10' }));
    expect(parts.map(({ name }) => name)).toEqual(['e2e_00001_.png']);
    location.search = '';
    expect(await read(await get({ accept }))).toEqual(parts);
  });

  it('from the bucket, where the local copies are gone', async () => {
    oss = await OssServer.start();
    await open({ env: ossEnv(oss) });
    const first = await call(accept, await workflow());
    const parts = await read(first);
    for (const name of await fleet.gateway.files()) await rm(join(fleet.gateway.folder, name));
    const job = `${fleet.gateway.url}/api/generate/${first.headers.get('job-id')}`;
    expect(await read(await fetch(job, { headers: { accept } }))).toEqual(parts);
  });

  it('a file that is gone is a problem, not half an answer', async () => {
    await open();
    const job = await fleet.generate(await workflow());
    await rm(join(fleet.gateway.folder, job.outputs[2]?.filename ?? ''));
    const answer = await fetch(`${fleet.gateway.url}/api/generate/${job.job_id}`, { headers: { accept } });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([
      404,
      expect.stringContaining('application/problem+json'),
    ]);
  });

  it.each([
    ['breaks in the middle', 'break'],
    ['ends too early', 'short'],
    ['cannot be opened any more', 'gone'],
  ])('a file that %s breaks the connection', async (_, how) => {
    await open();
    const storage = fleet.gateway.app.get(Storage);
    const job = await fleet.generate(await workflow(Buffer.alloc(300_000, 'x')));
    const original = storage.open.bind(storage);
    let opened = 0;
    vi.spyOn(storage, 'open').mockImplementation(async (key, range) => {
      opened += 1;
      if (opened !== 2) return original(key, range);
      if (how === 'gone') throw new Error('gone');
      const file = await original(key, range);
      file.stream.destroy();
      const half = [Buffer.alloc(150_000)];
      const stream = Readable.from(
        (function* () {
          yield* half;
          if (how === 'break') throw new Error('the disk is broken');
        })(),
      );
      return { ...file, stream };
    });
    const answer = await fetch(`${fleet.gateway.url}/api/generate/${job.job_id}`, { headers: { accept } });
    expect(answer.status).toBe(200);
    await expect(answer.arrayBuffer()).rejects.toThrow();
    expect(opened).toBe(2);
    vi.restoreAllMocks();
    expect((await call(accept, picture())).status).toBe(200);
  });

  it('who hangs up leaves nothing open', async () => {
    await open();
    const storage = fleet.gateway.app.get(Storage);
    const job = await fleet.generate(large(3, 20_000_000));
    const original = storage.open.bind(storage);
    const streams: Readable[] = [];
    vi.spyOn(storage, 'open').mockImplementation(async (key, range) => {
      const file = await original(key, range);
      streams.push(file.stream);
      return file;
    });
    const leaving = new AbortController();
    const answer = await fetch(`${fleet.gateway.url}/api/generate/${job.job_id}`, {
      headers: { accept },
      signal: leaving.signal,
    });
    await answer.body?.getReader().read();
    leaving.abort();
    await expect.poll(() => streams.map(({ destroyed }) => destroyed), SOON).toEqual([true]);
  });
});

describe('which one', () => {
  it('is what the Accept header prefers; one file, where it does not say', async () => {
    await open();
    const { job_id: id } = await fleet.generate(await workflow());
    const later = async (accept: string, query = '') => {
      const answer = await fetch(`${fleet.gateway.url}/api/generate/${id}${query}`, { headers: { accept } });
      await answer.arrayBuffer();
      return answer.headers.get('content-type')?.split(';')[0];
    };
    const now = async (accept: string | undefined) => {
      const answer = await call(accept, await workflow());
      await answer.arrayBuffer();
      return answer.headers.get('content-type')?.split(';')[0];
    };
    for (const accept of [
      undefined,
      '*/*',
      'application/*',
      'application/json',
      'image/png, application/zip',
      'application/zip;q=0',
    ]) {
      expect([accept, await now(accept)]).toEqual([accept, 'image/png']);
    }
    expect(await now('multipart/*')).toBe('multipart/mixed');
    expect(await now('application/zip, image/*;q=0.5')).toBe('application/zip');
    expect(await now('application/zip;q=0.2, multipart/mixed;q=0.3')).toBe('multipart/mixed');

    expect(await later('*/*')).toBe('application/json');
    expect(await later('application/zip;q=0.5, application/json')).toBe('application/json');
    expect(await later('application/zip, application/json;q=0.5')).toBe('application/zip');
    expect(await later('application/zip', '?response_type=file')).toBe('image/png');
    expect(await later('*/*', '?response_type=zip')).toBe('application/zip');
    expect(await later('*/*', '?response_type=tar')).toBe('application/problem+json');
  });
});
