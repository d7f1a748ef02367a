import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';
import { Logger } from '@nestjs/common';
import type { OssAgents } from './oss-client.js';
import type { OssSigner } from './oss-signer.js';

export interface V1ProbeOptions {
  signer: OssSigner;
  agents: OssAgents;
  /** What a URL that is handed out has to live, in seconds. */
  ttlSeconds: number;
  /** The name of an object nobody has made. */
  absentName: () => string;
  /** Pauses between the attempts, in ms; after the last the question stays open. */
  pausesMs: readonly number[];
}

export const V1_PROBE_PAUSES_MS = [10_000, 60_000, 300_000, 1_800_000, 7_200_000];

/** Longest wait for an answer, in ms. */
const TIMEOUT_MS = 10_000;

/**
 * Finds out whether the bucket takes V1 URLs, which alone can live 30 days: OSS refuses them for new accounts and
 * buckets, and nothing but trying tells. The same object is asked for twice, with V4 and with V1; only where OSS takes
 * the first does its answer to the second mean anything. Runs in the background and never fails.
 */
export class V1Probe {
  private verdict: boolean | undefined;
  private presentName: string | undefined;
  private attempts = 0;
  private asking = false;
  private stopped = false;
  private timer: NodeJS.Timeout | undefined;
  private readonly logger = new Logger('OssStorage');

  constructor(private readonly options: V1ProbeOptions) {}

  /** Undefined as long as it is not known. */
  get accepted(): boolean | undefined {
    return this.verdict;
  }

  start(): void {
    void this.attempt();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /**
   * An object that is there. For one that is not, OSS may answer 403 whatever the signature, if the access key may not
   * list; so the first upload settles what could not be told before.
   */
  offer(name: string): void {
    if (this.verdict !== undefined || this.presentName !== undefined) return;
    this.presentName = name;
    clearTimeout(this.timer);
    void this.attempt();
  }

  private async attempt(): Promise<void> {
    if (this.stopped || this.asking || this.verdict !== undefined) return;
    this.asking = true;
    const name = this.presentName ?? this.options.absentName();
    this.verdict = await this.ask(name).catch(() => undefined);
    this.asking = false;
    if (this.verdict !== undefined) {
      this.logger.log(
        this.verdict
          ? 'The bucket takes V1 URLs: links lead straight to OSS and live as long as links of ours.'
          : 'The bucket does not take V1 URLs: links lead here and redirect to OSS.',
      );
      return;
    }
    const pause = this.options.pausesMs[this.attempts++];
    if (pause === undefined || this.stopped) return;
    // Something came in between that can tell more.
    const next = this.presentName === undefined || this.presentName === name ? pause : 0;
    this.timer = setTimeout(() => void this.attempt(), next);
    this.timer.unref();
  }

  private async ask(name: string): Promise<boolean | undefined> {
    const { signer, agents, ttlSeconds } = this.options;
    const [v4, v1] = await Promise.all([
      signer.signV4(name, { method: 'GET', ttlSeconds: 60 }).then(({ url }) => statusOf(url, agents)),
      statusOf(signer.signV1(name, { method: 'GET', ttlSeconds }).url, agents),
    ]);
    const v4Works = v4 === 206 || v4 === 200 || v4 === 404;
    if (!v4Works) return undefined;
    if (v1 === v4) return true;
    return v1 === 400 || v1 === 403 ? false : undefined;
  }
}

/** Asks for one byte. Only an answer of OSS itself counts. @throws where there is none */
function statusOf(url: string, { http, https }: OssAgents): Promise<number> {
  const headers = { Range: 'bytes=0-0' };
  return new Promise((resolve, reject) => {
    const request = url.startsWith('https:')
      ? httpsGet(url, { agent: https, headers })
      : httpGet(url, { agent: http, headers });
    const timer = setTimeout(() => request.destroy(new Error('timeout')), TIMEOUT_MS);
    timer.unref();
    request.on('close', () => clearTimeout(timer));
    request.on('error', reject);
    request.on('response', (response) => {
      response.on('error', reject).resume();
      if (response.headers['x-oss-request-id'] === undefined)
        reject(new Error('The answer is not from OSS.'));
      else resolve(response.statusCode ?? 0);
    });
  });
}
