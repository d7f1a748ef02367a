import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeStorage, type StorageUnderTest } from '../storage.contract.spec-helper.js';
import { DIRECT, type FileOps, THREADED } from './file-ops.js';
import { LocalStorage } from './local.storage.js';

describeStorage('LocalStorage on a local disk', () => start(DIRECT));
describeStorage('LocalStorage on a disk behind a network', () => start(THREADED));

async function start(ops: FileOps): Promise<StorageUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), 'local-storage-'));
  const limits = { maxFileBytes: 4 * 1024 * 1024, minFreeBytes: 1 };
  const storage = await LocalStorage.create({ directory, ...limits }, ops);
  return {
    storage,
    directory,
    elsewhere: 0,
    copies: () => Promise.resolve([]),
    stop: async () => {
      await storage.onApplicationShutdown();
      await rm(directory, { recursive: true });
    },
  };
}
