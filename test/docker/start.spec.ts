import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, lstat, mkdir, mkdtemp, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

interface User {
  name: string;
  uid: number;
  gid: number;
  home: string;
}
interface Folders {
  prepareOutputs: (folder: string, user: User) => void;
  prepareState: (folder: string, user: User) => void;
}
interface Users {
  rightsOfRoot: (status: string) => { allowed: boolean; powerless: boolean };
  findUser: (name: string, passwd: string) => User | undefined;
}

const DOCKER = new URL('../../deploy/docker/', import.meta.url);
const script = (name: string) => new URL(name, DOCKER).href;
const { prepareOutputs, prepareState } = (await import(script('folders.mjs'))) as Folders;
const { rightsOfRoot, findUser } = (await import(script('user.mjs'))) as Users;

const root = process.getuid?.() === 0;
/** Only root can give a file away; for others nothing changes. */
const node = { name: 'node', uid: 12_345, gid: 12_345, home: '/home/node' };
const given = root ? node.uid : process.getuid?.();
const kept = process.getuid?.();

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'start-'));
});
afterEach(() => rm(folder, { recursive: true }));
const ownerOf = async (path: string) => (await lstat(join(folder, path))).uid;

describe('the folders of a container that starts as root', () => {
  it('makes a folder that does not exist, and gives it away', async () => {
    prepareOutputs(join(folder, 'a/b'), node);
    expect([await ownerOf('a/b'), await ownerOf('a')]).toEqual([given, kept]);
  });

  it('gives away what the server writes again, and no outputs', async () => {
    await mkdir(join(folder, '.tmp'));
    for (const name of ['.tmp/half', '.link-secret', 'picture.png']) await writeFile(join(folder, name), '');
    prepareOutputs(folder, node);
    expect(await Promise.all(['.', '.tmp', '.tmp/half', '.link-secret'].map(ownerOf))).toEqual(
      Array(4).fill(given),
    );
    expect(await ownerOf('picture.png')).toBe(kept);
  });

  it('gives away the database with its journals', async () => {
    for (const name of ['state.sqlite', 'state.sqlite-wal', 'notes']) await writeFile(join(folder, name), '');
    prepareState(folder, node);
    expect(await Promise.all(['.', 'state.sqlite', 'state.sqlite-wal'].map(ownerOf))).toEqual(
      Array(3).fill(given),
    );
    expect(await ownerOf('notes')).toBe(kept);
  });

  it('follows no link that somebody left inside', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'outside-'));
    await writeFile(join(outside, 'secret'), '');
    await symlink(join(outside, 'secret'), join(folder, '.link-secret'));
    await symlink(outside, join(folder, '.tmp'));
    prepareOutputs(folder, node);
    expect((await lstat(outside)).uid).toBe(kept);
    expect((await lstat(join(outside, 'secret'))).uid).toBe(kept);
    expect(await readlink(join(folder, '.tmp'))).toBe(outside);
    await rm(outside, { recursive: true });
  });

  it('does not throw for what it cannot change', async () => {
    await writeFile(join(folder, 'file'), '');
    await chmod(folder, 0o500);
    expect(() => prepareOutputs(join(folder, 'file'), node)).not.toThrow();
    expect(() => prepareState('/dev/null/folder', node)).not.toThrow();
    await chmod(folder, 0o700);
  });
});

describe('the user of a container that starts as root', () => {
  it.each([
    ['00000000a80425fb', 'Docker gives them by default', { allowed: true, powerless: false }],
    ['00000000000000c3', 'those of docker-compose.yml', { allowed: true, powerless: false }],
    ['0000000000000000', 'none', { allowed: false, powerless: true }],
    ['0000000000000400', 'NET_BIND_SERVICE', { allowed: false, powerless: true }],
    ['0000000000000001', 'CHOWN', { allowed: false, powerless: false }],
    ['0000000000000080', 'SETUID without SETGID', { allowed: false, powerless: false }],
  ])('capabilities %s: %s', (bits, _, rights) => {
    expect(rightsOfRoot(`Name:\tnode\nCapPrm:\t0\nCapEff:\t${bits}\nCapBnd:\tffff\n`)).toEqual(rights);
  });

  it('is found by its name', () => {
    const passwd = 'root:x:0:0:root:/root:/bin/bash\nnode:x:1000:1001::/home/node:/bin/bash\n';
    expect(findUser('node', passwd)).toEqual({ name: 'node', uid: 1000, gid: 1001, home: '/home/node' });
    expect(findUser('nod', passwd)).toBeUndefined();
  });
});

describe('the health check', () => {
  const check = (env: Record<string, string>) =>
    new Promise<{ code: unknown; said: string }>((resolve) => {
      const file = fileURLToPath(new URL('healthcheck.mjs', DOCKER));
      execFile(process.execPath, [file], { cwd: folder, env }, (error, _, said) =>
        resolve({ code: error === null ? 0 : error.code, said }),
      );
    });
  const listen = async (answer: RequestListener, host = '127.0.0.1') => {
    const server = createServer(answer).listen(0, host);
    await once(server, 'listening');
    return { port: String((server.address() as AddressInfo).port), close: () => server.close() };
  };

  it('asks PORT and HOST of the environment, or of .env', async () => {
    let asked = 0;
    const { port, close } = await listen((request, response) => {
      if (request.url === '/health/live') asked += 1;
      response.end();
    });
    for (const HOST of ['0.0.0.0', '::', '127.0.0.1', '']) {
      expect(await check({ PORT: port, HOST })).toEqual({ code: 0, said: '' });
    }
    await writeFile(join(folder, '.env'), `PORT=${port}\n`);
    expect(await check({})).toEqual({ code: 0, said: '' });
    expect(asked).toBe(5);
    close();
  });

  it('fails with a reason where the server does not answer well', async () => {
    const { port, close } = await listen((_, response) => response.writeHead(503).end());
    expect(await check({ PORT: port })).toEqual({
      code: 1,
      said: `GET /health/live on 127.0.0.1 port ${port}: status 503\n`,
    });
    close();
    expect(await check({ PORT: port })).toMatchObject({
      code: 1,
      said: expect.stringContaining('ECONNREFUSED'),
    });
  });
});
