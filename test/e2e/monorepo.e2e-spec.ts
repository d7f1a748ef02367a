import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { ComfyStandin } from '../comfyui/index.js';
import { freePort } from '../processes/free-port.js';
import { compile } from './support/sdk.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const HOST = join(ROOT, 'test/monorepo');

interface Poster {
  job: string;
  link: string;
  changes: number;
}

/** A program that runs until it ends by itself. */
class Program {
  readonly output: string[] = [];
  private readonly child: ChildProcess;

  constructor(file: string, env: Record<string, string>) {
    const { PATH = '' } = process.env;
    this.child = spawn(process.execPath, [file], { cwd: tmpdir(), env: { PATH, ...env } });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (data: Buffer) => this.output.push(data.toString()));
    }
  }

  async says(text: string): Promise<void> {
    await vi.waitUntil(() => this.output.join('').includes(text) || this.child.exitCode !== null, {
      timeout: 15_000,
    });
    if (!this.output.join('').includes(text)) throw new Error(`It ended:\n${this.output.join('')}`);
  }

  signal(): void {
    this.child.kill('SIGTERM');
  }

  /** How it ended: nothing may keep it alive. */
  async end(): Promise<number | null> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
    if (this.child.exitCode === null) await once(this.child, 'close');
    clearTimeout(timer);
    return this.child.exitCode;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

describe('the package in an application of its own', () => {
  const started: Program[] = [];
  let build: string;
  let folder: string;
  let comfys: ComfyStandin[];

  const start = (file: string, env: Record<string, string>) => {
    const program = new Program(file, env);
    started.push(program);
    return program;
  };

  beforeAll(async () => {
    // In the repository, so that the package's own name leads to its "exports", as a workspace's would.
    await mkdir(join(ROOT, '.tmp'), { recursive: true });
    build = await mkdtemp(join(ROOT, '.tmp/monorepo-'));
    folder = await mkdtemp(join(tmpdir(), 'monorepo-'));
    comfys = [await ComfyStandin.start(), await ComfyStandin.start()];
    // As it is built in a monorepo: against dist/*.d.ts, not against our sources.
    await compile(join(HOST, 'tsconfig.json'), '--paths', 'null', '--outDir', build);
  }, 60_000);
  afterEach(() => {
    for (const program of started.splice(0)) program.kill();
  });
  afterAll(async () => {
    for (const comfy of comfys) await comfy.stop();
    for (const path of [build, folder]) await rm(path, { recursive: true });
  });

  /** Settings of one application for each ComfyUI. */
  const settings = () =>
    Promise.all(
      comfys.map(async ({ address }, index) => {
        const port = await freePort();
        const pictureFolder = join(folder, `app-${index}`);
        return { comfyui: address, pictureFolder, publicUrl: `http://127.0.0.1:${port}`, port };
      }),
    );

  const print = async (publicUrl: string, color: number) => {
    const response = await fetch(`${publicUrl}/posters/${color}`, { method: 'PUT' });
    expect(response.status).toBe(200);
    return (await response.json()) as Poster;
  };

  it('runs workflows behind a route of that application, which hands out the picture', async () => {
    const [app] = await settings();
    const program = start(join(build, 'main.js'), { APPS: JSON.stringify([app]) });
    await program.says('ready');
    const { publicUrl = '' } = app ?? {};
    const { job, link, changes } = await print(publicUrl, 0x336699);
    expect(link).toMatch(new RegExp(`^${publicUrl}/output_images/image_\\d+_[0-9a-f]{12}\\.png$`));
    expect(changes).toBeGreaterThan(2);
    const picture = await fetch(link);
    expect(picture.headers.get('content-type')).toBe('image/png');
    const { data, info } = await sharp(await picture.arrayBuffer())
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 64, height: 96 });
    expect(data.readUIntBE(0, 3)).toBe(0x336699);
    expect(await (await fetch(`${publicUrl}/posters/${job}`)).json()).toEqual({ status: 'succeeded' });
    program.signal();
    expect(await program.end()).toBe(0);
    expect(program.output.join('')).toBe('ready\n');
  });

  it('runs twice in one process, and neither notices the other', async () => {
    const apps = await settings();
    const program = start(join(build, 'main.js'), { APPS: JSON.stringify(apps) });
    await program.says('ready');
    const posters = await Promise.all(
      [0, 1, 0, 1].map(async (index, turn) => {
        const { publicUrl = '' } = apps[index] ?? {};
        return { index, poster: await print(publicUrl, turn) };
      }),
    );
    for (const { index, poster } of posters) {
      const [own, other] = index === 0 ? apps : apps.toReversed();
      const name = poster.link.split('/').at(-1);
      expect(poster.link).toBe(`${own?.publicUrl}/output_images/${name}`);
      expect(await readdir(own?.pictureFolder ?? '')).toContain(name);
      expect((await fetch(poster.link)).status).toBe(200);
      expect((await fetch(`${other?.publicUrl}/output_images/${name}`)).status).toBe(404);
      expect((await fetch(`${other?.publicUrl}/posters/${poster.job}`)).status).toBe(404);
    }
    program.signal();
    const [first, second] = apps;
    await vi.waitUntil(() =>
      fetch(`${first?.publicUrl}/posters/x`).then(
        () => false,
        () => true,
      ),
    );
    expect(await print(second?.publicUrl ?? '', 0xff)).toMatchObject({
      changes: expect.any(Number) as number,
    });
    program.signal();
    expect(await program.end()).toBe(0);
  });

  it('can be required by a CommonJS application', async () => {
    const pictures = join(folder, 'commonjs');
    const env = { COMFYUI: comfys[0]?.address ?? '', FOLDER: pictures };
    const program = start(join(HOST, 'commonjs-host.cjs'), env);
    expect(await program.end()).toBe(0);
    const [, name = ''] =
      /^\/output_images\/(image_\d+_[0-9a-f]{12}\.png)$/m.exec(program.output.join('')) ?? [];
    expect(await readdir(pictures)).toContain(name);
  });
});
