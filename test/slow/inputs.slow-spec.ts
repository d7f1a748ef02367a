import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLIENT_LIMITS } from '../../src/comfy/index.js';
import { StateDatabase } from '../../src/state/index.js';
import type { StandinOptions } from '../comfyui/index.js';
import { Fleet, SOON } from '../e2e/support/backends.js';
import { FileServer } from '../e2e/support/file-server.js';
import type { GatewayOptions, Problem } from '../e2e/support/gateway.js';
import { picture, salt } from '../e2e/support/workflows.js';

let fleet: Fleet;
let files: FileServer;
const start = async (options: GatewayOptions = {}, standins: readonly StandinOptions[] = [{}]) => {
  fleet = await Fleet.start(standins, {
    ...options,
    env: { FETCH_ALLOW_HOSTS: '127.0.0.1:*', ...options.env },
  });
};
beforeEach(async () => {
  files = await FileServer.start();
});
afterEach(async () => {
  await fleet.stop();
  await files.stop();
});

/** A picture of one colour, of no other bytes than that. */
const png = (color: number, size = 32): Promise<Buffer> =>
  sharp({ create: { width: size, height: size, channels: 3, background: `#${hex(color)}` } })
    .png()
    .toBuffer();
const hex = (color: number) => color.toString(16).padStart(6, '0');

/** Saves the picture that an input names, as it is. */
const showing = (image: unknown, classType = 'LoadImage') => ({
  '10': {
    class_type: classType,
    inputs: { image, ...(classType === 'LoadImage' ? {} : { channel: 'red' }) },
  },
  '277': { class_type: 'SaveImage', inputs: { images: ['10', 0], filename_prefix: 'in' } },
});
const uploads = (index = 0) =>
  fleet.at(index).requests.filter(({ route }) => route === 'POST /upload/image').length;
const problemOf = (image: unknown): Promise<Problem> => fleet.problem(showing(image));
const FIELD = 'workflow_data.10.inputs.image';

/** Folders of files that are being fetched. */
const spools = async () => (await readdir(tmpdir())).filter((name) => name.startsWith('comfy-sync-inputs-'));

describe('a file in place of a name', () => {
  const color = salt();
  it.each<[string, (bytes: Buffer) => unknown]>([
    ['a URL', (bytes) => files.serve('/a.png', bytes)],
    ['a URL whose name says nothing', (bytes) => files.serve('/download?id=7', bytes)],
    ['a data: URL', (bytes) => `data:image/png;base64,${bytes.toString('base64')}`],
    [
      'a data: URL that is percent-encoded',
      (bytes) => `data:image/png;base64,${encodeURIComponent(bytes.toString('base64'))}`,
    ],
    ['a data: URL that calls it something else', (bytes) => `data:;base64,${bytes.toString('base64')}`],
    ['base64', (bytes) => bytes.toString('base64')],
    [
      'base64 in lines, without padding',
      (bytes) =>
        bytes
          .toString('base64')
          .replace(/=+$/, '')
          .replace(/(.{76})/g, '$1\r\n'),
    ],
  ])('%s is what the workflow is run with', async (_, given) => {
    await start();
    const reply = await fleet.generate(showing(given(await png(color))));
    expect(await fleet.colorOf(reply)).toBe(color);
    expect(uploads()).toBe(1);
  });

  it('may be our own result, by whatever the reply calls it, and nothing is fetched for that', async () => {
    await start();
    const made = await fleet.generate(picture({ color }));
    const [output] = made.outputs as unknown as { url: string; asset_id: string; filename: string }[];
    const { url = '', asset_id: id = '', filename = '' } = output ?? {};
    for (const image of [
      url,
      url.slice(1),
      `${fleet.gateway.url}${url}`,
      `https://gateway.example.com/base${url}`,
      filename,
      id,
      `/api/v2/assets/${id}/content`,
    ]) {
      const reply = await fleet.generate(showing(image));
      expect(await fleet.colorOf(reply)).toBe(color);
    }
    // Its record may be gone: the file is served all the same.
    fleet.gateway.app.get(StateDatabase).run('DELETE FROM assets WHERE id = ?', id);
    expect(await fleet.colorOf(await fleet.generate(showing(url)))).toBe(color);
    expect((await fleet.gateway.fetch(url)).status).toBe(200);
    expect(uploads()).toBe(1);
    expect(await problemOf('/output_images/image_1795460610911_0a1b2c3d4e5f.png')).toMatchObject({
      status: 422,
      code: 'invalid_input',
      errors: [{ field: FIELD }],
    });
  });

  it('is put where nobody overwrites it, under a name made of its bytes', async () => {
    await start();
    await fleet.generate(showing(files.serve('/photo.png', await png(color))));
    const [prompt] = fleet.at(0).requests.filter(({ route }) => route === 'POST /prompt');
    expect(prompt?.text).toMatch(/"image":"comfy-sync\/[0-9a-f]{32}\.png"/);
    expect(prompt?.text).not.toContain('photo');
  });

  it('is taken by Comfy API v2 as well, and in every loader that ComfyUI tells of', async () => {
    await start();
    const url = files.serve('/mask.png', await png(0xff_00_00));
    const masked = {
      ...showing(url, 'LoadImageMask'),
      '11': { class_type: 'MaskToImage', inputs: { mask: ['10', 0] } },
      '277': { class_type: 'SaveImage', inputs: { images: ['11', 0], filename_prefix: 'in' } },
    };
    const response = await fleet.gateway.post('/api/v2/jobs', { workflow: masked });
    expect(response.status).toBe(201);
    const { id } = (await response.json()) as { id: string };
    await expect.poll(() => fleet.service.find(id)?.status, SOON).toBe('succeeded');
    // As it was sent.
    const { bytes } = await fleet.gateway.fetch(`/api/v2/jobs/${id}/workflow`);
    expect(JSON.parse(bytes.toString())).toMatchObject({ workflow: masked });
  });

  it('is not looked for in inputs that take texts', async () => {
    await start();
    const url = files.serve('/a.png', await png(color));
    const workflow = {
      ...picture(),
      '5': { class_type: 'ProbeShowText', inputs: { text: url } },
    };
    await fleet.generate(workflow);
    expect(files.requests).toEqual([]);
    expect(
      JSON.stringify(fleet.at(0).requests.find(({ route }) => route === 'POST /prompt')?.body),
    ).toContain(url);
  });

  it('is looked for where an extension says that its node takes one, as asked once', async () => {
    await start();
    const url = files.serve('/a.png', await png(color));
    const workflow = {
      '10': { class_type: 'ProbeLoadPicture', inputs: { picture: url, title: url } },
      '277': { class_type: 'SaveImage', inputs: { images: ['10', 0], filename_prefix: 'in' } },
    };
    expect(await fleet.colorOf(await fleet.generate(workflow))).toBe(color);
    await fleet.generate({ ...workflow, '11': { ...workflow['10'] } });
    const asked = fleet.at(0).requests.filter(({ path }) => path === '/object_info/ProbeLoadPicture');
    expect(asked).toHaveLength(1);
    const sent = JSON.stringify(fleet.at(0).requests.find(({ route }) => route === 'POST /prompt')?.body);
    expect(sent).toContain(`"title":"${url}"`);
  });

  it('that is wrong is told with its input, costs no prompt, and leaves nothing behind', async () => {
    await start();
    const bytes = await png(color, 256);
    const text = Buffer.from('<html>not found</html>'.repeat(50));
    const cut = bytes.subarray(0, 22);
    const base64 = bytes.toString('base64');
    const cases: [unknown, string, RegExp][] = [
      [files.serve('/page.png', text), 'invalid_input', /must be an image.*no type that is known/],
      [files.serve('/cut.png', cut), 'invalid_input', /./],
      [`data:image/png;base64,${text.toString('base64')}`, 'invalid_input', /must be an image/],
      [`data:image/png;base64,${cut.toString('base64')}`, 'invalid_input', /./],
      [
        `data:image/png;base64,${base64.slice(0, 200)}!${base64.slice(200)}`,
        'invalid_input',
        /is not base64/,
      ],
      ['data:image/png', 'invalid_input', /no data: URL/],
      ['data:image/png;base64,', 'invalid_input', /is empty/],
      [files.serve('/empty.png', Buffer.alloc(0)), 'invalid_input', /./],
      [`${base64.replace(/=+$/, '').repeat(4)}*`, 'invalid_input', /is not base64/],
      [`${files.url}/missing.png`, 'input_unavailable', /404/],
      ['file:///etc/passwd', 'invalid_input', /./],
      ['gopher://127.0.0.1:70/x', 'invalid_input', /./],
      [`http://user:secret@127.0.0.1/a.png`, 'invalid_input', /./],
    ];
    for (const [given, code, words] of cases) {
      const problem = await problemOf(given);
      expect(problem, String(given).slice(0, 80)).toMatchObject({ status: 422, code });
      expect(problem.errors?.[0]?.field).toBe(FIELD);
      expect(problem.detail).toMatch(words);
      expect(problem.detail.startsWith(FIELD)).toBe(true);
      expect(problem.detail).not.toContain('secret');
    }
    expect(fleet.submissions).toBe(0);
    // What came inside a workflow that was accepted stays, as any upload does.
    await expect.poll(async () => (await fleet.gateway.files()).length, SOON).toBeLessThanOrEqual(1);
    await fleet.expectRecovered();
  });

  it.each(['png', 'jpeg', 'webp', 'avif'] as const)('is no %s bomb, torn, or lying', async (format) => {
    await start({ env: { IMAGE_MAX_MEGAPIXELS: '1' } });
    const paint = (side: number) =>
      sharp({
        create: {
          width: side,
          height: side,
          channels: 3,
          background: `#${hex(color)}`,
          noise: { type: 'gaussian', mean: 128, sigma: 40 },
        },
      })
        .toFormat(format)
        .toBuffer();
    const [bomb, whole] = [await paint(1_001), await paint(400)];
    const torn = whole.subarray(0, Math.floor(whole.length * 0.7));
    // Of a PNG or a JPEG that is cut off ComfyUI shows what is there.
    const tornIsTaken = format === 'png' || format === 'jpeg';
    for (const bytes of tornIsTaken ? [bomb] : [bomb, torn]) {
      for (const given of [
        files.serve(`/a.${format}`, bytes, { 'cache-control': 'no-store' }),
        bytes.toString('base64'),
      ]) {
        expect(await problemOf(given)).toMatchObject({ status: 422, code: 'invalid_input' });
      }
    }
    // The name, and what its server says of it, count for nothing.
    const lying = files.serve('/movie.mp4', whole, { 'content-type': 'video/mp4' });
    expect(fleet.submissions).toBe(0);
    await fleet.generate(showing(lying));
    const [prompt] = fleet.at(0).requests.filter(({ route }) => route === 'POST /prompt');
    expect(prompt?.text).toContain(`.${format === 'jpeg' ? 'jpg' : format}"`);
  });

  it('that is cut off is run with what is there, and the reply warns of it', async () => {
    await start();
    const whole = await png(color, 128);
    const torn = whole.subarray(0, whole.length - 20);
    // The stand-in reads pictures with another library than ComfyUI does; here it matters that it gets this one.
    const workflow = {
      ...picture(),
      '10': { class_type: 'LoadImage', inputs: { image: torn.toString('base64') } },
    };
    const reply = await fleet.generate(workflow);
    expect(reply).toMatchObject({ warnings: [{ code: 'input_truncated', node_id: '10' }] });
    expect(uploads()).toBe(1);
    // A TGA, which is looked at by its header only.
    const tga = Buffer.concat([
      Buffer.from('00000200000000000000000006000400 1800'.replace(' ', ''), 'hex'),
      Buffer.alloc(72),
    ]);
    const other = {
      ...picture(),
      '10': { class_type: 'LoadImage', inputs: { image: tga.toString('base64') } },
    };
    expect(await fleet.generate(other)).not.toHaveProperty('warnings');
    const sent = fleet
      .at(0)
      .requests.filter(({ route }) => route === 'POST /prompt')
      .at(-1);
    expect(sent?.text).toContain('.tga"');
  });

  it('is told in the words of Comfy API v2 there', async () => {
    await start();
    const response = await fleet.gateway.post('/api/v2/jobs', { workflow: showing('ftp://127.0.0.1/a.png') });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({
      error: {
        code: 'invalid_input',
        message: expect.stringContaining('workflow.10.inputs.image: ') as string,
        details: { errors: [{ field: 'workflow.10.inputs.image' }] },
      },
    });
  });

  it('is not larger than allowed, whichever way it comes', async () => {
    await start({ env: { MAX_UPLOAD_MB: '1' } });
    const large = Buffer.alloc(1024 * 1024 + 1, await png(color));
    const drip = files.behave('/endless.png', (_, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write(large.subarray(0, 65_536)), 1);
      response.on('close', () => clearInterval(timer));
    });
    for (const given of [
      files.serve('/large.png', large),
      drip,
      `data:;base64,${large.toString('base64')}`,
    ]) {
      expect(await problemOf(given)).toMatchObject({ status: 422, code: 'invalid_input' });
    }
    await expect.poll(() => files.connections, SOON).toBe(0);
  });

  it('that comes too slowly is given up in time, and the backend waits for nobody', async () => {
    await start({
      comfy: { fetch: { maxBytes: 1024 ** 2, timeoutMs: 400 } },
    });
    const hanging = files.behave('/hang.png', () => undefined);
    const dripping = files.behave('/drip.png', (_, response) => {
      response.writeHead(200, { 'content-length': 1_000 });
      const timer = setInterval(() => response.write('x'), 50);
      response.on('close', () => clearInterval(timer));
    });
    const slow = [problemOf(hanging), problemOf(dripping)];
    // In line behind both.
    await fleet.generate(picture());
    for (const problem of await Promise.all(slow)) {
      expect(problem).toMatchObject({ status: 422, code: 'input_unavailable' });
    }
    await expect.poll(() => files.connections, SOON).toBe(0);
    await fleet.expectRecovered();
  });

  it('is no longer fetched once nobody waits for it', async () => {
    await start();
    const hanging = files.behave('/hang.png', () => undefined);
    const leaving = new AbortController();
    const call = fleet.gateway
      .post('/api/generate', { workflow_data: showing(hanging) }, { signal: leaving.signal })
      .catch(() => 'gone');
    await expect.poll(() => files.count('/hang.png'), SOON).toBe(1);
    leaving.abort();
    await call;
    await expect.poll(() => files.connections, SOON).toBe(0);
    await fleet.expectRecovered();
  });

  it('is tried again where its server had a bad moment', async () => {
    await start();
    const bytes = await png(color);
    let asked = 0;
    const url = files.behave('/flaky.png', (_, response) => {
      asked += 1;
      if (asked === 1) response.writeHead(503).end();
      else response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
    });
    expect(await fleet.colorOf(await fleet.generate(showing(url)))).toBe(color);
    expect(asked).toBe(2);
  });
});

describe('many who name the same URL', () => {
  it('100 jobs: fetched once, brought to each backend once', async () => {
    // With the time that a ComfyUI has to take so much.
    await start({ comfy: { limits: CLIENT_LIMITS } }, [{}, {}]);
    // Twenty megabytes that no compression makes smaller.
    const noise = createHash('shake256', { outputLength: 2_582 * 2_582 * 3 })
      .update('noise')
      .digest();
    const bytes = await sharp(noise, { raw: { width: 2_582, height: 2_582, channels: 3 } })
      .png({ compressionLevel: 0 })
      .toBuffer();
    expect(bytes.length).toBeGreaterThan(19_000_000);
    const url = files.serve('/large.png', bytes);
    const cropped = () => ({
      ...showing(url),
      '11': {
        class_type: 'ImageCrop',
        inputs: { image: ['10', 0], width: 8, height: 8, x: salt() % 2_000, y: 0 },
      },
      '277': { class_type: 'SaveImage', inputs: { images: ['11', 0], filename_prefix: 'in' } },
    });
    const replies = await Promise.all(Array.from({ length: 100 }, () => fleet.generate(cropped())));
    expect(replies).toHaveLength(100);
    expect(files.count('/large.png')).toBe(1);
    expect([uploads(0), uploads(1)]).toEqual([1, 1]);
  }, 120_000);

  it('get what its server has now, where that says so', async () => {
    await start();
    const [red, blue] = [0xff_00_00, 0x00_00_ff];
    const url = files.serve('/now.png', await png(red), { 'cache-control': 'no-store' });
    expect(await fleet.colorOf(await fleet.generate(showing(url)))).toBe(red);
    files.serve('/now.png', await png(blue), { 'cache-control': 'no-store' });
    expect(await fleet.colorOf(await fleet.generate(showing(url)))).toBe(blue);
  });

  it('leave no file when the server stops', async () => {
    const before = await spools();
    await start();
    await fleet.generate(showing(files.serve('/a.png', await png(salt()))));
    const [spool = expect.fail('nothing was fetched')] = (await spools()).filter(
      (name) => !before.includes(name),
    );
    expect(await readdir(join(tmpdir(), spool))).toHaveLength(1);
    await fleet.gateway.app.close();
    expect(await spools()).not.toContain(spool);
  });
});

describe('nobody else is harmed', () => {
  it('by a file that somebody else needed, and cancelled', async () => {
    await start();
    const bytes = await png(salt());
    const served = { 'cache-control': 'no-store' };
    const [mine, theirs] = [
      files.serve('/mine.png', bytes, served),
      files.serve('/theirs.png', bytes, served),
    ];
    // The image is looked at once for both; whose file it is goes away meanwhile.
    const leaving = new AbortController();
    const calls = [theirs, mine].map((url, index) =>
      fleet.gateway
        .post('/api/generate', { workflow_data: showing(url) }, index === 0 ? { signal: leaving.signal } : {})
        .catch(() => undefined),
    );
    await expect.poll(() => files.count('/mine.png'), SOON).toBe(1);
    leaving.abort();
    const answers = await Promise.all(calls);
    expect(answers[1]?.status).toBe(200);
  });

  it('by one who names servers that do not answer', async () => {
    await start();
    const leaving = new AbortController();
    const slow = Array.from({ length: 20 }, (_, index) => {
      const url = files.behave(`/hang-${index}`, () => undefined);
      return fleet.gateway
        .post(
          '/api/generate',
          { workflow_data: showing(url) },
          { signal: leaving.signal, headers: { 'caller-id': 'slow' } },
        )
        .catch(() => undefined);
    });
    await expect.poll(() => files.requests.length, SOON).toBe(8);
    const url = files.serve('/quick.png', await png(salt()));
    const quick = await fleet.gateway.post(
      '/api/generate',
      { workflow_data: showing(url) },
      { headers: { 'caller-id': 'quick' } },
    );
    expect(quick.status).toBe(200);
    leaving.abort();
    await Promise.all(slow);
    await expect.poll(() => files.connections, SOON).toBeLessThanOrEqual(1);
  });

  it('by whoever cleans the temporary folder', async () => {
    const before = await spools();
    await start();
    await fleet.generate(showing(files.serve('/a.png', await png(salt()))));
    const [spool = ''] = (await spools()).filter((name) => !before.includes(name));
    await rm(join(tmpdir(), spool), { recursive: true });
    // The same URL again, and another one.
    await fleet.generate(showing(`${files.url}/a.png`));
    await fleet.generate(showing(files.serve('/b.png', await png(salt()))));
    expect(files.count('/a.png')).toBe(2);
  });

  it('by a workflow with more URLs than any has', async () => {
    await start();
    const nodes = Array.from({ length: 65 }, (_, index) => [
      String(index + 1_000),
      { class_type: 'LoadImage', inputs: { image: `${files.url}/${index}.png` } },
    ]);
    const problem = await fleet.problem({ ...picture(), ...(Object.fromEntries(nodes) as object) });
    expect(problem).toMatchObject({ status: 422, code: 'invalid_input' });
    expect(problem.detail).toContain('64');
    expect(files.requests).toEqual([]);
  });

  it('by texts that only look like something to think about', async () => {
    await start();
    const text = `a${' '.repeat(4_094)}!`;
    const nodes = Array.from({ length: 300 }, (_, index) => [
      String(index + 1_000),
      { class_type: 'ProbeShowText', inputs: { text } },
    ]);
    const call = fleet.generate({ ...picture(), ...(Object.fromEntries(nodes) as object) });
    const live = await fleet.gateway.fetch('/health/live');
    expect(live.status).toBe(200);
    await call;
  });
});

describe('a workflow in a form', () => {
  const form = (workflow: unknown, parts: Record<string, string | Blob>) => {
    const body = new FormData();
    for (const [name, part] of Object.entries(parts)) body.append(name, part);
    if (workflow !== undefined) body.append('workflow_data', JSON.stringify(workflow));
    return body;
  };
  const send = (path: string, body: FormData, headers: Record<string, string> = {}) =>
    fetch(`${fleet.gateway.url}${path}`, { method: 'POST', body, headers });

  it('is run with the files beside it', async () => {
    await start();
    const color = salt();
    const photo = new Blob([new Uint8Array(await png(color))]);
    const response = await send(
      '/api/generate',
      form(showing('a name that the file stands for'), {
        '10.image': photo,
        output_node_id: '277',
        priority: '3',
      }),
    );
    expect(response.status).toBe(200);
    expect(await fleet.colorOf((await response.json()) as never)).toBe(color);
    const file = await send('/api/generate_file', form(showing(''), { '10.image': photo }));
    expect(file.headers.get('content-type')).toBe('image/png');
    // Equal bytes are kept once, and brought once.
    expect(uploads()).toBe(1);
  });

  it('may come as a file itself, as curl sends it', async () => {
    await start();
    const color = salt();
    const body = form(undefined, {
      workflow_data: new Blob([JSON.stringify(showing(''))], { type: 'application/json' }),
      '10.image': new Blob([new Uint8Array(await png(color))]),
    });
    expect(await fleet.colorOf((await (await send('/api/generate', body)).json()) as never)).toBe(color);
  });

  it('is the same request with the same key only where the files are the same', async () => {
    await start();
    const [one, two] = [await png(salt()), await png(salt())].map(
      (bytes) => new Blob([new Uint8Array(bytes)]),
    );
    const key = { 'idempotency-key': 'form' };
    const call = (photo: Blob | undefined) =>
      send('/api/generate', form(showing(''), { '10.image': photo ?? '' }), key);
    const first = (await (await call(one)).json()) as { job_id: string };
    const again = await call(one);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(await again.json()).toMatchObject({ job_id: first.job_id });
    expect(await (await call(two)).json()).toMatchObject({ code: 'idempotency_key_reuse' });
    expect(fleet.submissions).toBe(1);
  });

  it('has its files in place of whatever their inputs hold', async () => {
    await start();
    const color = salt();
    const other = files.serve('/other.png', await png(0));
    const photo = new Blob([new Uint8Array(await png(color))]);
    const response = await send('/api/generate', form(showing(other), { '10.image': photo }));
    expect(await fleet.colorOf((await response.json()) as never)).toBe(color);
    expect(files.requests).toEqual([]);
  });

  it('is one workflow, of any length as a file', async () => {
    await start();
    const workflow = new Blob([JSON.stringify(picture())]);
    const twice = form(undefined, { workflow_data: workflow });
    twice.append('workflow_data', workflow);
    const both = form(picture(), { workflow_data: workflow });
    for (const body of [twice, both]) {
      const response = await send('/api/generate', body);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ errors: [{ field: 'workflow_data' }] });
    }
    const long = {
      ...picture(),
      '5': { class_type: 'ProbeShowText', inputs: { text: 'x'.repeat(1_100_000) } },
    };
    const asText = await send('/api/generate', form(long, {}));
    expect(asText.status).toBe(413);
    expect(((await asText.json()) as Problem).detail).toContain('workflow_data=@');
    const asFile = form(undefined, {
      workflow_data: new Blob([JSON.stringify(long)]),
      output_node_id: '277',
    });
    expect((await send('/api/generate', asFile)).status).toBe(200);
  });

  it('that is wrong is told by field, and its files go', async () => {
    await start();
    const photo = () => new Blob([Buffer.from('not an image, but large enough to be kept')]);
    const bad: [FormData, string, string][] = [
      [form(showing(''), { '11.image': photo() }), 'invalid_request', '11.image'],
      [form(showing(''), { photo: photo() }), 'invalid_request', 'photo'],
      [form(showing(''), { '10.image': photo() }), 'invalid_input', FIELD],
      [form(showing(''), { '10.image': photo(), priority: 'high' }), 'invalid_request', 'priority'],
      [form(showing(''), { '10.image': photo(), nonsense: '1' }), 'invalid_request', 'nonsense'],
      [form(undefined, { '10.image': photo() }), 'invalid_request', '10.image'],
      [form(undefined, { workflow_data: '{' }), 'invalid_request', 'workflow_data'],
      [form(showing(''), { '10.image': new Blob([]) }), 'invalid_request', '10.image'],
      [form(showing(''), { ['__proto__']: '{}' }), 'invalid_request', '__proto__'],
      [form({ nodes: [], links: [] }, {}), 'workflow_format_ui', ''],
    ];
    for (const [body, code, field] of bad) {
      const response = await send('/api/generate', body);
      const problem = (await response.json()) as Problem;
      expect(problem.code).toBe(code);
      expect(problem.errors?.map((error) => error.field) ?? ['']).toContain(field);
    }
    await expect.poll(() => fleet.gateway.files(), SOON).toEqual([]);
    expect(fleet.submissions).toBe(0);
  });

  it('goes with its files where the caller hangs up on the way', async () => {
    await start();
    const leaving = new AbortController();
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        const head = `--x\r\nContent-Disposition: form-data; name="10.image"; filename="a"\r\n\r\n`;
        controller.enqueue(Buffer.concat([Buffer.from(head), Buffer.alloc(300_000, 7)]));
      },
    });
    const call = fetch(`${fleet.gateway.url}/api/generate`, {
      method: 'POST',
      body: stream,
      headers: { 'content-type': 'multipart/form-data; boundary=x' },
      signal: leaving.signal,
      duplex: 'half',
    }).catch(() => 'gone');
    const pending = async () => (await readdir(join(fleet.gateway.folder, '.tmp'))).length;
    await expect.poll(pending, SOON).toBeGreaterThan(0);
    leaving.abort();
    await call;
    await expect.poll(pending, SOON).toBe(0);
    expect(await fleet.gateway.files()).toEqual([]);
  });

  it('does not come from a page of another origin', async () => {
    await start();
    const response = await send('/api/generate', form(picture(), {}), { origin: 'https://evil.example' });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ code: 'origin_not_allowed' });
    expect(fleet.submissions).toBe(0);
  });
});
