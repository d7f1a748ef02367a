import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { OssServer } from '../oss/index.js';
import type { Dice } from './dice.js';
import { EventLog } from './event-log.js';
import { freePort } from '../processes/free-port.js';
import { ServiceProcess } from './processes/service.js';
import { StandinProcess } from './processes/standin.js';
import { FaultProxy } from './proxy/fault-proxy.js';

const HOST = '127.0.0.1';

/** Seconds that a call of ours may take before the service gives up on it. */
export const GENERATE_TIMEOUT_S = 90;

/** One ComfyUI and the line to it. */
export interface Backend {
  /** `comfyui-0`, for the log. */
  name: string;
  legacy: boolean;
  standin: StandinProcess;
  proxy: FaultProxy;
}

/** The bucket and the line to it. */
export interface Bucket {
  server: OssServer;
  proxy: FaultProxy;
}

/** Everything that a run needs: the service, what is behind it, and the lines between them. */
export class Arena {
  private constructor(
    readonly folder: string,
    readonly log: EventLog,
    readonly backends: readonly Backend[],
    readonly bucket: Bucket,
    readonly service: ServiceProcess,
    readonly port: number,
  ) {}

  /**
   * Starts all of it and waits until jobs can be run on every backend. Closes again what it opened if it fails.
   * @param durable the service remembers its jobs over a kill
   */
  static async open(count: number, dice: Dice, durable: boolean): Promise<Arena> {
    const folder = await mkdtemp(join(tmpdir(), 'comfy-sync-chaos-'));
    const closers: (() => Promise<void>)[] = [];
    try {
      const server = await OssServer.start();
      closers.push(() => server.stop());
      const bucketProxy = await FaultProxy.start(
        { host: HOST, port: server.port },
        { port: await freePort(), random: dice.roll },
      );
      closers.push(() => bucketProxy.stop());
      const backends: Backend[] = [];
      for (let index = 0; index < count; index += 1) {
        const legacy = index % 2 === 1;
        const port = await freePort();
        const dataDir = join(folder, `comfyui-${index}`);
        const standin = await StandinProcess.start({ port, dataDir, legacy });
        closers.push(() => standin.stop());
        const proxy = await FaultProxy.start(
          { host: HOST, port },
          { port: await freePort(), random: dice.roll },
        );
        closers.push(() => proxy.stop());
        backends.push({ name: `comfyui-${index}${legacy ? ' (0.3.11)' : ''}`, legacy, standin, proxy });
      }
      const bucket = { server, proxy: bucketProxy };
      const port = await freePort();
      const service = new ServiceProcess(folder, port, (life) => ({
        ...environment(folder, backends, bucket, life),
        ...(durable ? { STATE_DIR: join(folder, 'state') } : {}),
      }));
      const arena = new Arena(folder, new EventLog(folder), backends, bucket, service, port);
      closers.push(() => service.stop().then(() => undefined));
      await service.launch();
      await arena.untilReady();
      return arena;
    } catch (error) {
      await Promise.allSettled(closers.map((close) => close()));
      throw error;
    }
  }

  /** Where the service keeps its files. */
  get outputFolder(): string {
    return outputIn(this.folder);
  }

  /** Ends every fault, wherever it is. A stand-in that is down must have been started again. */
  async heal(): Promise<void> {
    this.bucket.server.faults.clear();
    await this.bucket.proxy.heal();
    for (const { standin, proxy } of this.backends) {
      standin.thaw();
      await standin.fault('clear');
      await standin.fault('unmuteSockets');
      await proxy.heal();
    }
  }

  /** Ends every process and connection. */
  async close(): Promise<void> {
    await this.service.stop();
    await Promise.all(this.backends.map(({ standin }) => standin.stop()));
    await Promise.all(this.backends.map(({ proxy }) => proxy.stop()));
    await this.bucket.proxy.stop();
    await this.bucket.server.stop();
  }

  async removeFolder(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  private async untilReady(): Promise<void> {
    const deadline = Date.now() + 20_000;
    for (;;) {
      const readiness = await this.service.readiness();
      if (readiness?.status === 200 && readiness.connected === this.backends.length) return;
      if (Date.now() > deadline) throw new Error('the service does not find its backends');
      await sleep(50);
    }
  }
}

const outputIn = (folder: string) => join(folder, 'output_images');

function environment(
  folder: string,
  backends: readonly Backend[],
  { server, proxy }: Bucket,
  life: number,
): Record<string, string> {
  return {
    COMFYUI_SERVER: backends.map((backend) => `${HOST}:${backend.proxy.port}`).join(','),
    OUTPUT_DIR: outputIn(folder),
    MIN_FREE_MB: '0',
    GENERATE_TIMEOUT_S: String(GENERATE_TIMEOUT_S),
    MAX_ATTEMPTS: '5',
    JOB_TIMEOUT_S: '60',
    JOB_STALL_S: '20',
    SHUTDOWN_GRACE_S: '10',
    STORE_RETRY_S: '20',
    LOG_LEVEL: 'debug',
    ENABLE_OSS: 'true',
    OSS_ENDPOINT: `http://localhost:${proxy.port}`,
    OSS_BUCKET_NAME: server.bucket,
    OSS_REGION: server.region,
    OSS_ACCESS_KEY_ID: server.key.id,
    OSS_ACCESS_KEY_SECRET: server.key.secret,
    // Links are redirected to the bucket, or their files come from here: both, in turns.
    OSS_URL_MODE: life % 2 === 1 ? 'gateway' : 'proxy',
  };
}
