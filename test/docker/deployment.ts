import { cp, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../processes/free-port.js';
import { docker, dockerOk, until } from './engine.js';

/** Tag of the image that the tests build; gone afterwards. */
export const IMAGE = 'comfy-sync-server-test';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** What a clone holds that the image is built from, and what the compose file needs. */
const CLONED = [
  'Dockerfile',
  '.dockerignore',
  'docker-compose.yml',
  'package.json',
  'package-lock.json',
  'nest-cli.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'src',
  'deploy',
  'output_images/.gitignore',
];

/** Milliseconds that compose.yml gives to a stop. */
const GRACE_MS = 40_000;

export interface DeploymentOptions {
  /** `127.0.0.1:8188` as the container sees it. */
  comfyui: string;
  /** Who owns the clone. @default 0, root */
  owner?: number;
  /** Folders to make in the clone, with their owners. */
  folders?: Record<string, number>;
  /** Lines of an override file, below `services.comfy-sync-server`. */
  service?: string;
  /** Lines of an override file, below `volumes`. */
  volumes?: string;
  /** Settings of `.env`. */
  settings?: Record<string, string>;
  /** Environment of `docker compose`, as APP_UID. */
  env?: Record<string, string>;
}

/** How a container ended. */
export interface Ended {
  code: number;
  ms: number;
}

/** A clone of this repository in a folder of its own, and what its compose file runs. */
export class Deployment {
  private constructor(
    /** Of the clone. */
    readonly folder: string,
    private readonly project: string,
    private readonly files: string[],
    private readonly env: Record<string, string>,
  ) {}

  static async create(options: DeploymentOptions): Promise<Deployment> {
    const folder = await mkdtemp(join(tmpdir(), 'comfy-docker-'));
    for (const path of CLONED) await cp(join(REPOSITORY, path), join(folder, path), { recursive: true });
    const port = await freePort();
    const settings = {
      COMFYUI_SERVER: options.comfyui,
      ENABLE_OSS: 'false',
      SERVER_BASE_URL: `http://127.0.0.1:${port}`,
      ...options.settings,
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
    await writeFile(join(folder, '.env'), lines.join(''));
    // Beside the clone, which may belong to somebody else.
    await writeFile(`${folder}.yml`, override(options));
    const owner = options.owner ?? 0;
    if (owner !== process.getuid?.()) await asRoot(folder, ['chown', '-R', `${owner}:${owner}`, '.']);
    for (const [path, uid] of Object.entries(options.folders ?? {})) {
      await asRoot(folder, ['install', '-d', '-o', String(uid), '-g', String(uid), path]);
    }
    const files = ['-f', 'docker-compose.yml', '-f', `${folder}.yml`];
    const project = folder.slice(folder.lastIndexOf('/') + 1).toLowerCase();
    return new Deployment(folder, project, files, { PORT: String(port), ...options.env });
  }

  get url(): string {
    return `http://127.0.0.1:${this.env['PORT']}`;
  }

  /** `docker compose …` in the clone. */
  compose(args: string[], timeoutMs = 60_000): Promise<string> {
    return dockerOk(['compose', '-p', this.project, ...this.files, ...args], {
      cwd: this.folder,
      env: this.env,
      timeoutMs,
    });
  }

  /** Other lines for the override file; they count from the next `up`. */
  async setService(service: string): Promise<void> {
    await writeFile(`${this.folder}.yml`, override({ service }));
  }

  async up(): Promise<void> {
    await this.compose(['up', '--detach', '--no-build'], 120_000);
  }

  async healthy(): Promise<void> {
    await until('healthy', 60_000, async () => {
      const { State } = await this.inspect();
      if (State.Status === 'exited' || State.Status === 'restarting')
        throw new Error(`it is ${State.Status}`);
      return State.Health.Status === 'healthy' ? true : undefined;
    }).catch(async (error: unknown) => {
      throw new Error(
        `${error instanceof Error ? error.message : ''}; the end of its log:\n${(await this.log()).slice(-3_000)}`,
      );
    });
  }

  /** Waits for a container that cannot start. */
  async exitCode(): Promise<number> {
    return until('ended', 60_000, async () => {
      const { State } = await this.inspect();
      return State.Status === 'exited' ? State.ExitCode : undefined;
    });
  }

  async stop(): Promise<Ended> {
    const started = Date.now();
    await this.compose(['stop'], GRACE_MS + 30_000);
    const ms = Date.now() - started;
    return { code: (await this.inspect()).State.ExitCode, ms };
  }

  async log(): Promise<string> {
    const { output, messages } = await docker(['logs', await this.container()]);
    return `${output}\n${messages}`;
  }

  /** The user that runs the server. */
  async serverUser(): Promise<number> {
    const table = await dockerOk(['top', await this.container(), '-eo', 'pid,uid,args']);
    const [, uid] = /^\s*\d+\s+(\d+)\s+node dist\/main\.js$/m.exec(table) ?? [];
    if (uid === undefined) throw new Error(`the server is not among these:\n${table}`);
    return Number(uid);
  }

  /** Who owns the files in a folder of the clone; the folder itself is `.`. */
  async owners(path: string): Promise<Record<string, number>> {
    const folder = join(this.folder, path);
    const owners: Record<string, number> = {};
    for (const name of ['.', ...(await readdir(folder))]) owners[name] = (await stat(join(folder, name))).uid;
    return owners;
  }

  async remove(): Promise<void> {
    await this.compose(['down', '--volumes', '--timeout', '0']);
    await rm(`${this.folder}.yml`);
    await asRoot(tmpdir(), ['rm', '-rf', this.folder.slice(this.folder.lastIndexOf('/') + 1)]);
  }

  private async container(): Promise<string> {
    const [id = ''] = (await this.compose(['ps', '--all', '--quiet'])).split('\n');
    return id;
  }

  private async inspect(): Promise<{
    State: { Status: string; ExitCode: number; Health: { Status: string } };
  }> {
    const text = await dockerOk(['inspect', await this.container()]);
    return (JSON.parse(text) as Awaited<ReturnType<Deployment['inspect']>>[])[0]!;
  }
}

/** Runs a program as root in a folder of this machine, whoever runs the tests. */
function asRoot(folder: string, command: string[]): Promise<string> {
  const [program = '', ...args] = command;
  const mount = ['--volume', `${folder}:/folder`, '--workdir', '/folder'];
  return dockerOk(['run', '--rm', '--user', '0:0', ...mount, '--entrypoint', program, IMAGE, ...args]);
}

function override({ service = '', volumes }: Pick<DeploymentOptions, 'service' | 'volumes'>): string {
  const lines = [`image: ${IMAGE}`, 'healthcheck: { interval: 1s }', ...service.split('\n')];
  const text = `services:\n  comfy-sync-server:\n${lines.map((line) => `    ${line}\n`).join('')}`;
  return volumes === undefined ? text : `${text}volumes:\n  ${volumes}\n`;
}
