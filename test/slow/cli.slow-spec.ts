import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ComfyStandin, type Graph, probeBytes } from '../comfyui/index.js';
import { Gateway, type Reply } from '../e2e/support/gateway.js';
import { Meddler } from '../e2e/support/meddler.js';
import { TerminalClient, type Outcome } from '../e2e/support/terminal-client.js';
import { big, failing, picture, salt, slow, textToImage } from '../e2e/support/workflows.js';

const SOON = { interval: 10, timeout: 10_000 };
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;
const NOWHERE = 'http://127.0.0.1:1';

describe('the terminal client', () => {
  let comfy: ComfyStandin;
  let gateway: Gateway;
  let meddler: Meddler;
  let folder: string;

  beforeAll(async () => {
    comfy = await ComfyStandin.start();
    gateway = await Gateway.start(comfy.url, { env: { ADMIN_TOKEN: 'open-sesame', COMFYUI_SLOTS: '1' } });
    meddler = await Meddler.start(gateway.url);
  });
  afterAll(async () => {
    await meddler.stop();
    await gateway.stop();
    await comfy.stop();
  });
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'terminal-'))));
  afterEach(async () => {
    meddler.meddle = () => false;
    await rm(folder, { recursive: true, force: true });
  });

  const start = (args: readonly string[], options: { env?: Record<string, string>; stdin?: string } = {}) =>
    TerminalClient.start(args, {
      cwd: folder,
      ...options,
      env: { COMFY_SYNC_SERVER: gateway.url, ...options.env },
    });
  const call = async (args: readonly string[], options?: Parameters<typeof start>[1]): Promise<Outcome> =>
    start(args, options).end();
  const keep = async (name: string, content: unknown): Promise<string> => {
    await writeFile(
      join(folder, name),
      typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content),
    );
    return name;
  };
  /** The newest prompt that ComfyUI got. */
  const prompt = () =>
    comfy.requests.findLast(({ route }) => route === 'POST /prompt') ?? expect.fail('no prompt came');
  const submitted = (): Graph => (prompt().body as { prompt: Graph }).prompt;
  const colorOf = async (bytes: Buffer) =>
    (await sharp(bytes).removeAlpha().raw().toBuffer()).readUIntBE(0, 3);
  const statusOf = async (job: string) => {
    const response = await fetch(`${gateway.url}/api/v2/jobs/${job}`);
    return ((await response.json()) as { status: string }).status;
  };
  const running = async () => {
    await expect.poll(() => comfy.queue.running.length, SOON).toBe(1);
  };

  describe('run', () => {
    it('sets inputs by id and by title, and saves the bytes of the server', async () => {
      const workflow = textToImage('a dog', 1);
      Object.assign(workflow['6'] ?? {}, { _meta: { title: 'Positive v1.0' } });
      await keep('workflow_api.json', workflow);
      const { code, stdout, stderr } = await call([
        'run',
        'workflow_api.json',
        '--set',
        'Positive v1.0.text=a red fox, "quoted" = yes',
        '--set',
        '3.seed=18446744073709551615',
        '--set',
        '5.width=192',
        '--set',
        '7.text=@@blurry',
        '--out',
        'fox.png',
      ]);
      expect([code, stdout.toString()]).toEqual([0, 'fox.png\n']);
      expect(stderr).toContain('100%');
      expect(submitted()['6']?.inputs['text']).toBe('a red fox, "quoted" = yes');
      expect(submitted()['7']?.inputs['text']).toBe('@blurry');
      expect(submitted()['5']?.inputs['width']).toBe(192);
      expect(prompt().text).toMatch(/"seed": ?18446744073709551615[,}]/);
      const { width, format } = await sharp(join(folder, 'fox.png')).metadata();
      expect([width, format]).toEqual([192, 'png']);
      expect(await readdir(folder)).toEqual(['fox.png', 'workflow_api.json']);
    });

    it('uploads files that --set names, each once, and ComfyUI gets their bytes', async () => {
      const photo = await sharp({ create: { width: 32, height: 32, channels: 3, background: '#2040c0' } })
        .png()
        .toBuffer();
      await keep('photo "1".png', photo);
      await keep('load.json', {
        '10': { class_type: 'LoadImage', inputs: { image: 'example.png' } },
        '11': { class_type: 'LoadImage', inputs: { image: 'example.png' } },
        '12': { class_type: 'ImageBatch', inputs: { image1: ['10', 0], image2: ['11', 0] } },
        '277': { class_type: 'SaveImage', inputs: { images: ['10', 0], filename_prefix: 'e2e' } },
      });
      const uploads = () => comfy.requests.filter(({ route }) => route === 'POST /upload/image').length;
      const before = uploads();
      const named = '@photo "1".png';
      const { code, stderr } = await call([
        'run',
        'load.json',
        '--server',
        meddler.url,
        '--set',
        `10.image=${named}`,
        '--set',
        `11.image=${named}`,
        '--out',
        './',
      ]);
      expect([code, stderr]).toEqual([0, expect.stringContaining('uploading photo "1".png')]);
      expect(meddler.seen.filter(({ what }) => what === 'POST /api/v2/assets')).toHaveLength(1);
      expect(uploads()).toBe(before + 1);
      const name = String(submitted()['10']?.inputs['image']);
      expect(await readFile(join(comfy.inputDir, name))).toEqual(photo);
      const [made = ''] = (await readdir(folder)).filter((file) => file.startsWith('image_'));
      expect(await colorOf(await readFile(join(folder, made)))).toBe(0x20_40_c0);
    });

    it('streams a large upload: memory stays flat', async () => {
      await keep('load.json', picture());
      await writeFile(join(folder, 'large.bin'), Buffer.alloc(256 * 1024 * 1024, 7));
      const client = start(['run', 'load.json', '--force', '--set', '1.extra=@large.bin', '--json']);
      await expect.poll(() => /100% {2}uploading large\.bin/.test(client.stderr), SOON).toBe(true);
      // Node itself takes some 80.
      expect(client.peakMiB).toBeLessThan(200);
      // The file arrived: the server has it, and ComfyUI takes none as large.
      const { code, json } = await client.end();
      expect([code, json['detail']]).toEqual([3, expect.stringContaining('it may be too large')]);
    });

    it('prints the URL, or with --json the reply and nothing else', async () => {
      await keep('w.json', picture({ color: 0x10_20_30 }));
      const plain = await call(['run', 'w.json']);
      expect(plain.code).toBe(0);
      expect(await colorOf((await gateway.fetch(plain.stdout.toString().trim())).bytes)).toBe(0x10_20_30);
      const { code, json, stderr } = await call(['run', 'w.json', '--json', '--quiet', '--out', 'y.png']);
      expect([code, stderr]).toEqual([0, '']);
      expect(json).toMatchObject({
        job_id: expect.stringMatching(UUID),
        attempts: 1,
        outputs: [{ index: 0 }],
      });
      expect(json['files']).toMatchObject([{ path: 'y.png', content_type: 'image/png', index: 0 }]);
      expect(String(json['url'])).toMatch(new RegExp(`^${gateway.url}/output_images/`));
    });

    it('saves all files of a node, or the one that --index means', async () => {
      await keep('batch.json', picture({ batch: 3 }));
      const { code, stdout } = await call(['run', 'batch.json', '--all', '--out', 'made/here']);
      const paths = stdout.toString().trim().split('\n');
      expect([code, paths.length, new Set(paths).size]).toEqual([0, 3, 3]);
      expect((await readdir(join(folder, 'made/here'))).map((name) => `made/here/${name}`).sort()).toEqual(
        paths.sort(),
      );
      const { json } = await call(['run', 'batch.json', '--index', '2', '--json', '--out', 'third.png']);
      const { outputs } = json as unknown as Reply;
      expect(await readFile(join(folder, 'third.png'))).toEqual(
        (await gateway.fetch(outputs[2]?.url ?? '')).bytes,
      );
    });

    it('reads the workflow from standard input and writes the bytes to standard output', async () => {
      const { code, stdout } = await call(['run', '-', '--out', '-'], {
        stdin: JSON.stringify(big(3_000_000)),
      });
      expect(code).toBe(0);
      expect(stdout.equals(Buffer.concat([...probeBytes(3_000_000)]))).toBe(true);
    });

    it('works below the base path of a proxy that wants a header', async () => {
      const proxy = await Meddler.start(gateway.url, '/comfy/sync');
      proxy.meddle = ({ headers }, response) => {
        if (headers['x-token'] === 'let me in') return false;
        response.writeHead(401).end();
        return true;
      };
      await keep('w.json', picture());
      const args = ['run', 'w.json', '--server', `${proxy.url}/`, '--json', '--out', 'w.png'];
      expect((await call(args)).code).toBe(3);
      const { code, json } = await call([...args, '--header', 'X-Token: let me in']);
      expect([code, String(json['url'])]).toEqual([0, expect.stringContaining('/comfy/sync/output_images/')]);
      const { status } = await fetch(String(json['url']), { headers: { 'x-token': 'let me in' } });
      expect(status).toBe(200);
      await proxy.stop();
    });

    it('replaces what a link leads to, and not the link', async () => {
      await keep('w.json', picture());
      await keep('old.png', 'old');
      await symlink('old.png', join(folder, 'link.png'));
      expect((await call(['run', 'w.json', '--out', 'link.png'])).code).toBe(0);
      expect((await sharp(join(folder, 'old.png')).metadata()).format).toBe('png');
    });
  });

  describe('a bad network', () => {
    it('follows the job again when the connection of the events breaks', async () => {
      await keep('w.json', slow({ steps: 60, delayMs: 30 }));
      const client = start(['run', 'w.json', '--server', meddler.url, '--out', 'w.png']);
      await expect.poll(() => /ProbeSlowImage/.test(client.stderr), SOON).toBe(true);
      expect(meddler.cut(/events/)).toBe(1);
      const { code, stderr } = await client.end();
      expect([code, stderr]).toEqual([0, expect.stringContaining('following the job again')]);
      const streams = meddler.seen.filter(({ what }) => what.endsWith('/events'));
      expect(streams.length).toBeGreaterThanOrEqual(2);
      expect((await sharp(join(folder, 'w.png')).metadata()).format).toBe('png');
    });

    it.each([
      ['breaks them all', () => {}],
      ['does not know them', (response) => response.writeHead(404).end()],
      [
        'answers with a page',
        (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('hi'),
      ],
    ] as [string, (response: import('node:http').ServerResponse) => void][])(
      'asks for the job where a proxy lets no events through: it %s',
      async (_, answer) => {
        meddler.meddle = ({ url = '' }, response) => {
          if (!url.endsWith('/events')) return false;
          answer(response);
          if (!response.writableEnded) response.destroy();
          return true;
        };
        await keep('w.json', slow({ steps: 20 }));
        const { code } = await call(['run', 'w.json', '--server', meddler.url, '--out', 'w.png']);
        expect(code).toBe(0);
        expect((await sharp(join(folder, 'w.png')).metadata()).format).toBe('png');
      },
    );

    it('submits again without making a second job, and waits as long as Retry-After says', async () => {
      await keep('w.json', picture());
      const answers = ['full', 'lost'] as const;
      let at = 0;
      meddler.meddle = ({ method, url }, response) => {
        const answer = method === 'POST' && url === '/api/generate' ? answers[at++] : undefined;
        if (answer !== 'full') return answer ?? false;
        response.writeHead(429, { 'retry-after': '1' }).end();
        return true;
      };
      const before = comfy.executed.length;
      const { code, stderr } = await call(['run', 'w.json', '--server', meddler.url]);
      expect(code).toBe(0);
      expect(stderr).toMatch(/trying again in 1 s \(1 of 5\)/);
      expect(stderr).toMatch(/the connection broke.*\(2 of 5\)/);
      expect(comfy.executed.length).toBe(before + 1);
      const keys = meddler.seen
        .filter(({ what }) => what === 'POST /api/generate')
        .slice(-3)
        .map(({ headers }) => headers['idempotency-key']);
      expect(new Set(keys).size).toBe(1);
    });

    it('fetches a file again that broke, and leaves no half of it', async () => {
      await keep('w.json', big(5_000_000));
      const whole = Buffer.concat([...probeBytes(5_000_000)]);
      let left = 1;
      meddler.meddle = ({ url = '' }, response) => {
        if (!url.includes('response_type=file') || left-- <= 0) return false;
        response.writeHead(200, { 'content-type': 'image/png', 'content-length': whole.length });
        response.write(whole.subarray(0, 1_000_000), () => response.destroy());
        return true;
      };
      const args = ['run', 'w.json', '--server', meddler.url, '--retries'];
      expect((await call([...args, '1', '--out', 'whole.png'])).code).toBe(0);
      expect((await readFile(join(folder, 'whole.png'))).equals(whole)).toBe(true);
      left = 9;
      await keep('before.png', 'as it was');
      const { code, json } = await call([...args, '1', '--out', 'before.png', '--json']);
      expect([code, json]).toEqual([
        5,
        expect.objectContaining({ code: 'unreachable', job_id: expect.stringMatching(UUID), exit_code: 5 }),
      ]);
      expect(await readFile(join(folder, 'before.png'), 'utf8')).toBe('as it was');
      left = 9;
      const piped = await call([...args, '0', '--out', '-']);
      expect([piped.code, piped.stdout.length]).toEqual([5, 0]);
      expect((await readdir(folder)).sort()).toEqual(['before.png', 'w.json', 'whole.png']);
    });
  });

  describe('exit codes', () => {
    it.each([
      ['no such file', ['run', 'nothing.json'], 'nothing.json'],
      ['no JSON', ['run', 'text.json'], 'not JSON'],
      ['no such node', ['run', 'w.json', '--set', '99.text=x'], '277 (SaveImage)'],
      ['no such input', ['run', 'w.json', '--set', '1.colour=1'], 'color'],
      ['no assignment', ['run', 'w.json', '--set', 'text'], '--set <node>.<input>=<value>'],
      ['no such photo', ['run', 'w.json', '--set', '1.color=@no.png'], 'no.png'],
      ['a folder that is not there', ['run', 'w.json', '--out', 'no/such/x.png'], 'no/such/x.png'],
      ['a wrong number', ['run', 'w.json', '--priority', '101'], 'from -100 to 100'],
      ['an unknown option', ['run', 'w.json', '--colour'], '--colour'],
      ['--all without a folder', ['run', 'w.json', '--all'], '--out'],
      ['two documents on standard output', ['run', 'w.json', '--json', '--out', '-'], '--out -'],
      ['no address', ['jobs', '--server', 'ftp://x'], 'ftp://x'],
    ])('2: %s, and nothing is sent', async (_, args, words) => {
      await keep('w.json', picture());
      await keep('text.json', 'nodes: 3');
      const env = { COMFY_SYNC_SERVER: meddler.url };
      const before = meddler.seen.length;
      // The same command may be right without --json.
      if (!args.includes('--json')) {
        const plain = await call(args, { env });
        expect([plain.code, plain.stdout.toString(), plain.stderr]).toEqual([
          2,
          '',
          expect.stringContaining(words),
        ]);
      }
      const { code, json, stderr } = await call(args.includes('--json') ? args : [...args, '--json'], {
        env,
      });
      expect([code, stderr]).toEqual([2, '']);
      expect(json).toMatchObject({ code: expect.stringMatching(/usage|file_error/), exit_code: 2 });
      expect(meddler.seen.length).toBe(before);
    });

    it('3: a workflow as the page saves it, with and without --set, in the words of the server', async () => {
      await keep('page.json', { nodes: [{ id: 1 }], links: [], version: 0.4 });
      const sent = await call(['run', 'page.json']);
      const kept = await call(['run', 'page.json', '--set', '6.text=x']);
      expect([sent.code, kept.code]).toEqual([3, 3]);
      for (const { stderr } of [sent, kept]) {
        expect(stderr).toContain('This is a workflow as the ComfyUI page saves it');
        expect(stderr).toContain('Export (API)');
      }
    });

    it('3: ComfyUI refuses the workflow; node and input are named', async () => {
      await keep('w.json', picture());
      const { code, stderr } = await call(['run', 'w.json', '--set', '1.width=wide']);
      expect([code, stderr]).toEqual([3, expect.stringMatching(/node 1 \(EmptyImage\), input width: /)]);
      const { json } = await call(['run', 'w.json', '--set', '1.width=wide', '--json']);
      expect(json).toMatchObject({ code: 'invalid_workflow', status: 422, exit_code: 3 });
      expect(json['node_errors']).toHaveProperty('1');
    });

    it('3: there is no such output node', async () => {
      await keep('w.json', picture());
      const { code, json } = await call(['run', 'w.json', '--output-node', '5', '--json']);
      expect([code, json['code']]).toEqual([3, 'output_node_not_found']);
    });

    it('4: a node fails; it is named, and no file is there', async () => {
      await keep('w.json', failing('ValueError'));
      const { code, stderr, stdout } = await call(['run', 'w.json', '--out', 'w.png']);
      expect([code, stdout.length]).toEqual([4, 0]);
      expect(stderr).toMatch(/node_execution_error, job [0-9a-f-]{36}/);
      expect(stderr).toMatch(/node 2 \(ProbeRaise\): .*tensor size mismatch/);
      expect(await readdir(folder)).toEqual(['w.json']);
    });

    it('4: somebody else cancels the job', async () => {
      await keep('w.json', slow({ steps: 500 }));
      const client = start(['run', 'w.json', '--json']);
      await running();
      const { json: list } = await call(['jobs', '--status', 'running', '--json']);
      const [{ id }] = list['jobs'] as [{ id: string }];
      expect((await call(['cancel', id])).stdout.toString()).toContain('cancelled');
      const { code, json } = await client.end();
      expect([code, json['code'], json['job_id']]).toEqual([4, 'cancelled', id]);
    });

    it('5: nobody is there, or no ComfyUI has room', async () => {
      await keep('w.json', picture());
      const { code, stderr } = await call(['run', 'w.json', '--server', NOWHERE, '--retries', '1']);
      expect([code, stderr]).toEqual([5, expect.stringContaining('cannot be reached')]);
      expect(stderr).toContain('(1 of 1)');
      meddler.meddle = (_request, response) => {
        response
          .writeHead(503, { 'content-type': 'application/problem+json' })
          .end('{"code":"no_backend","title":"No backend can be reached","detail":"None.","status":503}');
        return true;
      };
      const full = await call(['run', 'w.json', '--server', meddler.url, '--retries', '0', '--json']);
      expect([full.code, full.json['code']]).toEqual([5, 'no_backend']);
    });

    it('6: --timeout is over; the job goes on, and can be waited for', async () => {
      await keep('w.json', slow({ steps: 60, delayMs: 50 }));
      const { code, json } = await call(['run', 'w.json', '--timeout', '1', '--json', '--out', 'w.png']);
      expect([code, json['code']]).toEqual([6, 'timed_out']);
      const job = String(json['job_id']);
      expect(await statusOf(job)).toBe('running');
      const later = await call(['wait', job, '--out', 'w.png']);
      expect([later.code, later.stdout.toString()]).toEqual([0, 'w.png\n']);
      expect((await sharp(join(folder, 'w.png')).metadata()).format).toBe('png');
    });

    it.each([
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const)('%s: the job is cancelled on ComfyUI, the exit code is %i', async (signal, exit) => {
      await keep('w.json', slow({ steps: 1_000 }));
      const client = start(['run', 'w.json', '--json', '--out', 'w.png']);
      await running();
      await expect.poll(() => /ProbeSlowImage/.test(client.stderr), SOON).toBe(true);
      client.signal(signal);
      // As npx does: it passes on what the terminal has told already.
      client.signal(signal);
      const { code, json } = await client.end();
      expect([code, json['code']]).toEqual([exit, 'cancelled']);
      expect(await statusOf(String(json['job_id']))).toBe('canceled');
      await expect.poll(() => comfy.queue.running.length, SOON).toBe(0);
      expect(await readdir(folder)).toEqual(['w.json']);
    });

    it('130: Ctrl-C while the workflow is being sent cancels the job that comes of it', async () => {
      await keep('w.json', slow({ steps: 1_000 }));
      let answer: (() => void) | undefined;
      meddler.meddle = ({ method, url }, response) => {
        if (method !== 'POST' || url !== '/api/generate') return false;
        const writeHead = response.writeHead.bind(response);
        // The job is accepted; its answer is on the way for a while.
        response.writeHead = ((...args: Parameters<typeof writeHead>) => {
          response.cork();
          answer = () => response.uncork();
          return writeHead(...args);
        }) as typeof response.writeHead;
        return false;
      };
      const client = start(['run', 'w.json', '--server', meddler.url, '--json']);
      await running();
      await expect.poll(() => answer !== undefined, SOON).toBe(true);
      client.signal('SIGINT');
      await new Promise((resolve) => setTimeout(resolve, 200));
      answer?.();
      const { code, json } = await client.end();
      expect([code, json['job_id']]).toEqual([130, expect.stringMatching(UUID)]);
      await expect.poll(() => comfy.queue.running.length, SOON).toBe(0);
    });

    it('130: a second Ctrl-C ends it at once', async () => {
      await keep('w.json', slow({ steps: 200, delayMs: 10 }));
      meddler.meddle = ({ url = '' }) => url.endsWith('/cancel');
      const client = start(['run', 'w.json', '--server', meddler.url]);
      await running();
      await expect.poll(() => /ProbeSlowImage/.test(client.stderr), SOON).toBe(true);
      client.signal('SIGINT');
      await expect.poll(() => meddler.seen.some(({ what }) => what.endsWith('/cancel')), SOON).toBe(true);
      await new Promise((resolve) => setTimeout(resolve, 400));
      client.signal('SIGINT');
      expect((await client.end()).code).toBe(130);
      await expect.poll(() => comfy.queue.running.length, SOON).toBe(0);
    });
  });

  describe('jobs, wait, cancel and backends', () => {
    it('leaves at once with --detach, and waits later; Ctrl-C on wait lets the job go on', async () => {
      await keep('w.json', slow({ steps: 80, delayMs: 30 }));
      const { code, stdout } = await call(['run', 'w.json', '--detach']);
      const job = stdout.toString().trim();
      expect([code, job]).toEqual([0, expect.stringMatching(UUID)]);
      const waiting = start(['wait', job]);
      await expect.poll(() => /ProbeSlowImage/.test(waiting.stderr), SOON).toBe(true);
      waiting.signal('SIGINT');
      expect((await waiting.end()).code).toBe(130);
      expect(await statusOf(job)).toBe('running');
      expect((await call(['wait', job, '--quiet'])).stdout.toString()).toContain('/output_images/');
    });

    it('lists jobs, over the pages of the server, and shows one', async () => {
      await keep('w.json', picture());
      const { json: reply } = await call(['run', 'w.json', '--json']);
      const { code, json } = await call([
        'jobs',
        '--limit',
        '2',
        '--status',
        'succeeded,cancelled',
        '--json',
      ]);
      const jobs = json['jobs'] as { id: string }[];
      expect([code, jobs.length, jobs[0]?.id]).toEqual([0, 2, reply['job_id']]);
      const text = (await call(['jobs'])).stdout.toString();
      expect(text).toMatch(new RegExp(`^JOB .*\n${jobs[0]?.id} +succeeded`));
      const one = await call(['jobs', String(reply['job_id']), '--json']);
      expect(one.json).toMatchObject({ id: reply['job_id'], status: 'succeeded' });
      expect((await call(['jobs', String(reply['job_id'])])).stdout.toString()).toContain('/output_images/');
      expect((await call(['jobs', '7b87c392-de65-410f-9557-0ac08ad2a975'])).code).toBe(3);
      expect((await call(['jobs', '--status', 'sleeping'])).code).toBe(3);
    });

    it('cancels several, also where one of them is not there', async () => {
      await keep('w.json', slow({ steps: 1_000 }));
      const ids = await Promise.all(
        [1, 2].map(async () => {
          return (await call(['run', 'w.json', '--detach'])).stdout.toString().trim();
        }),
      );
      const { code, json } = await call([
        'cancel',
        ids[0] ?? '',
        `no-such-${salt()}`,
        ids[1] ?? '',
        '--json',
      ]);
      expect(code).toBe(3);
      expect(json['jobs']).toMatchObject(ids.map((id) => ({ id, status: 'canceled' })));
      expect(json['errors']).toMatchObject([{ code: 'not_found', exit_code: 3 }]);
      await expect.poll(() => comfy.queue.running.length, SOON).toBe(0);
    });

    it('shows backends to whoever has the token, drains one, and lets it work again', async () => {
      const refused = await call(['backends']);
      expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('COMFY_SYNC_ADMIN_TOKEN')]);
      const { code, stdout } = await call(['backends', '--token', 'open-sesame']);
      expect([code, stdout.toString()]).toEqual([0, expect.stringContaining(comfy.address)]);
      const env = { COMFY_SYNC_ADMIN_TOKEN: 'open-sesame' };
      const drained = await call(['backends', 'drain', comfy.address, '--json'], { env });
      expect(drained.json).toMatchObject({ name: comfy.address, draining: true, usable: false });
      await call(['backends', 'undrain', comfy.address], { env });
      const { json } = await call(['backends', '--json'], { env });
      expect(json).toMatchObject({ waiting: 0, backends: [{ name: comfy.address, draining: false }] });
    });
  });

  it('helps, with examples', async () => {
    const { code, stdout } = await call(['run', '--help']);
    expect([code, stdout.toString()]).toEqual([0, expect.stringContaining('--set 6.text="a red fox"')]);
    expect((await call(['--version'])).stdout.toString()).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect((await call([])).code).toBe(2);
  });
});
