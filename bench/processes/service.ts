import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { end } from '../../test/processes/ending.js';
import { freePort } from '../../test/processes/free-port.js';
import { type Memory, readMemory } from './memory.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const START_LIMIT_MS = 20_000;

/** Who waits in the service, and what is busy behind it. */
export interface Readiness {
  connected: number;
  waiting: number;
}

/** The built service in a process of its own, in an empty folder so that nobody's `.env` is read. */
export class Service {
  private constructor(
    readonly url: string,
    /** Where it keeps its files. */
    readonly outputDir: string,
    readonly pid: number,
    readonly close: () => Promise<void>,
  ) {}

  /** Starts it and waits until it has connected to all of `comfyuiUrl`, which may be several with commas between them. */
  static async start(comfyuiUrl: string, env: Record<string, string> = {}): Promise<Service> {
    const folder = await mkdtemp(join(tmpdir(), 'comfy-sync-bench-'));
    const outputDir = join(folder, 'output_images');
    const port = String(await freePort());
    const child = spawn(process.execPath, [MAIN], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        PATH: process.env['PATH'],
        HOST: '127.0.0.1',
        PORT: port,
        COMFYUI_SERVER: comfyuiUrl,
        ENABLE_OSS: 'false',
        OUTPUT_DIR: outputDir,
        LOG_LEVEL: 'warn',
        ...env,
      },
    });
    const service = new Service(`http://127.0.0.1:${port}`, outputDir, child.pid ?? 0, async () => {
      await end(child);
      await rm(folder, { recursive: true, force: true });
    });
    const wanted = comfyuiUrl.split(',').length;
    const deadline = Date.now() + START_LIMIT_MS;
    while (((await service.readiness())?.connected ?? 0) < wanted) {
      if (Date.now() > deadline || child.exitCode !== null) {
        await service.close();
        throw new Error('the service did not start');
      }
      await sleep(50);
    }
    return service;
  }

  /** Undefined while it does not answer. */
  async readiness(): Promise<Readiness | undefined> {
    try {
      const answer = await fetch(`${this.url}/health/ready`, { signal: AbortSignal.timeout(5_000) });
      const { details } = (await answer.json()) as { details: { backends: Readiness } };
      return details.backends;
    } catch {
      return undefined;
    }
  }

  /** Undefined where the system does not tell. */
  memory(): Promise<Memory | undefined> {
    return readMemory(this.pid);
  }
}
