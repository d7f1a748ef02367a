import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileLinks } from '../links/file-links.js';
import { LocalStorage } from '../local/local.storage.js';
import { type OssOptions, THIRTY_DAYS_S } from '../storage.options.js';
import { type OssParts, OssStorage } from './oss.storage.js';

export const BASE_URL = 'https://gateway.example.com';

/** What is needed of the stand-in. */
export interface OssPlace {
  endpoint: string;
  region: string;
  bucket: string;
  key: { id: string; secret: string };
}

/** Retries as in production, only sooner. */
export const FAST_RETRY = { attempts: 4, baseMs: 4, capMs: 20 };

export function ossOptions(server: OssPlace, more: Partial<OssOptions> = {}): OssOptions {
  return {
    endpoint: server.endpoint,
    region: server.region,
    bucket: server.bucket,
    accessKeyId: server.key.id,
    accessKeySecret: server.key.secret,
    basePath: 'comfy_images/',
    urlMode: 'gateway',
    ...more,
  };
}

/** An OssStorage with a folder of its own. */
export async function startOss(options: OssOptions, parts: Partial<OssParts> = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'oss-storage-'));
  const local = await LocalStorage.create({ directory, maxFileBytes: 4 * 1024 * 1024, minFreeBytes: 1 });
  const linkTtlSeconds = parts.linkTtlSeconds ?? THIRTY_DAYS_S;
  const secrets = [{ id: 'k1', secret: 's'.repeat(32) }];
  const links = new FileLinks({ secrets, publicBaseUrl: BASE_URL, ttlSeconds: linkTtlSeconds });
  const stop = async () => {
    await local.onApplicationShutdown();
    await rm(directory, { recursive: true });
  };
  try {
    const storage = await OssStorage.create(options, {
      local,
      links,
      linkTtlSeconds,
      retry: FAST_RETRY,
      ...parts,
    });
    return {
      storage,
      links,
      local,
      directory,
      stop: async () => {
        storage.onApplicationShutdown();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
