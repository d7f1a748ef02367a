import type { LookupAddress } from 'node:dns';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readAddress } from './address.js';
import { isMadeForCaller } from './loop.js';
import type { OutboundRules, OwnServer } from './outbound.js';
import { type Lookup, OwnServers } from './own-servers.js';
import { UndiciOutbound } from './undici-outbound.js';

const SOON = { interval: 5, timeout: 10_000 };
const GET = { maxBytes: 1024 * 1024, timeoutMs: 10_000 };

let outbound: UndiciOutbound;
let open: { server: Server | ReturnType<typeof createTcpServer>; sockets: Set<Socket> }[];
/** Connections to anything that listens here. */
let connections: number;

beforeEach(() => {
  open = [];
  connections = 0;
});
afterEach(async () => {
  await outbound.close();
  for (const { server, sockets } of open) {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});

function start(rules: Partial<OutboundRules> = {}, lookup?: Lookup): void {
  outbound = new UndiciOutbound({ allowHosts: [], allowPrivate: false, ...rules }, lookup);
}

async function listen(server: Server | ReturnType<typeof createTcpServer>, host: string): Promise<number> {
  const sockets = new Set<Socket>();
  open.push({ server, sockets });
  server.on('connection', (socket: Socket) => {
    connections += 1;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}

/** @returns its port */
const serve = (answer: RequestListener, host = '127.0.0.1') => listen(createServer(answer), host);
const say = (text: string, host = '127.0.0.1') =>
  listen(
    createTcpServer((socket) => socket.on('error', () => undefined).once('data', () => socket.write(text))),
    host,
  );

const fetched = async (url: string, more: Partial<typeof GET> = {}) =>
  buffer((await outbound.get(url, { ...GET, ...more })).body);
const refusal = expect.objectContaining({ name: 'OutboundError', code: 'not_allowed' }) as Error;

/** Answers of a name, one after the other; the last one for ever. */
function naming(...answers: string[][]): Lookup {
  let asked = 0;
  return (_hostname, _options, done) => {
    const addresses = answers[Math.min(asked, answers.length - 1)] ?? [];
    asked += 1;
    done(
      null,
      addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
}

describe('what is refused', () => {
  /** `PORT` is that of a server which listens on every address of this machine. */
  it.each([
    'http://127.0.0.1:PORT/',
    'http://2130706433:PORT/',
    'http://0x7f000001:PORT/',
    'http://0x7f.1:PORT/',
    'http://0177.0.0.1:PORT/',
    'http://017700000001:PORT/',
    'http://127.1:PORT/',
    'http://0:PORT/',
    'http://0.0.0.0:PORT/',
    'http://１２７.0.0.1:PORT/',
    'http://127。0。0。1:PORT/',
    'http://localhost:PORT/',
    'http://LOCALHOST.:PORT/',
    'http://a.localhost:PORT/',
    'http://printer.local:PORT/',
    'http://metadata.google.internal:PORT/',
    'http://[::1]:PORT/',
    'http://[::]:PORT/',
    'http://[::ffff:127.0.0.1]:PORT/',
    'http://[::ffff:7f00:1]:PORT/',
    'http://[0:0:0:0:0:ffff:127.0.0.1]:PORT/',
    'http://[::127.0.0.1]:PORT/',
    'http://[::ffff:0:127.0.0.1]:PORT/',
    'http://[64:ff9b::127.0.0.1]:PORT/',
    'http://[64:ff9b:1::127.0.0.1]:PORT/',
    'http://[2002:7f00:1::]:PORT/',
    'http://[2001::1]:PORT/',
    'http://[fe80::1]:PORT/',
    'http://[fe80::1%25lo]:PORT/',
    'http://[fe80::1%lo]:PORT/',
    'http://[fec0::1]:PORT/',
    'http://[fc00::1]:PORT/',
    'http://[fd00:ec2::254]:PORT/',
    'http://[ff02::1]:PORT/',
    'http://10.0.0.1:PORT/',
    'http://172.16.0.1:PORT/',
    'http://192.168.0.1:PORT/',
    'http://100.64.0.1:PORT/',
    'http://100.100.100.200:PORT/',
    'http://169.254.169.254/latest/meta-data/',
    'http://169.254.169.254.:PORT/',
    'http://168.63.129.16/',
    'http://redis:PORT/',
    'http://./',
    'http://224.0.0.1:PORT/',
    'http://255.255.255.255:PORT/',
    'http://198.18.0.1:PORT/',
    'http://203.0.113.1:PORT/',
    'http://user@127.0.0.1:PORT/',
    'http://user:secret@example.com:PORT/',
    'http://@example.com:PORT/',
    'http://example.com@127.0.0.1:PORT/',
    'http://127.0.0.1:PORT#@example.com/',
    'http://exam\r\nple.com:PORT/',
    'http://example.com:PORT/\r\nHost: evil',
    'http://example.com:PORT/a\tb',
    ' http://example.com:PORT/',
    'http://example.com\\@127.0.0.1:PORT/',
    'http:example.com',
    'http:///127.0.0.1:PORT/',
    '//127.0.0.1:PORT/',
    'http://',
    'http://127.0.0.1:99999/',
    'file:///etc/passwd',
    'gopher://127.0.0.1:PORT/_x',
    'ftp://127.0.0.1:PORT/',
    'data:text/plain,x',
    'javascript:alert(1)',
    `http://example.com/${'a'.repeat(9_000)}`,
  ])('%s', async (template) => {
    const port = await serve((_, response) => response.end('secret'), '0.0.0.0');
    start({}, naming(['127.0.0.1']));
    const url = template.replace('PORT', String(port));
    expect(() => outbound.check(url)).toThrow(refusal);
    await expect(fetched(url)).rejects.toThrow(refusal);
    await expect(outbound.post(url, { headers: {}, body: '', timeoutMs: 1_000 })).rejects.toThrow(refusal);
    expect(connections).toBe(0);
  });

  it('names that lead to such addresses, also if to others as well, in the same words', async () => {
    const port = await serve((_, response) => response.end('secret'), '0.0.0.0');
    for (const addresses of [
      ['127.0.0.1'],
      ['93.184.216.34', '127.0.0.1'],
      ['::ffff:127.0.0.1'],
      ['::8.8.8.8'],
      ['fe80::1%lo'],
      ['10.0.0.1'],
    ]) {
      start({}, naming(addresses));
      expect(outbound.check(`http://example.com:${port}/`).hostname).toBe('example.com');
      const error = await fetched(`http://example.com:${port}/`).catch((reason: Error) => reason);
      expect(error).toMatchObject({ code: 'not_allowed' });
      expect((error as Error).message).not.toMatch(/\d+\.\d+|::/);
      await outbound.close();
    }
    expect(connections).toBe(0);
    start();
  });

  it('a name that answers differently the second time: the first answer is what counts', async () => {
    const port = await serve((_, response) => response.end('harmless'), '127.0.0.2');
    const secret = await serve((_, response) => response.end('secret'), '127.0.0.1').catch(() => port);
    start({ allowHosts: ['127.0.0.2:*'] }, naming(['127.0.0.2'], ['127.0.0.1']));
    expect((await fetched(`http://example.com:${port}/`)).toString()).toBe('harmless');
    // The connection is kept; a new one asks again, and is refused.
    await expect(fetched(`http://example.com:${secret}/`)).rejects.toThrow(refusal);
    expect(connections).toBe(1);
  });

  it('ways there through an address that is allowed', async () => {
    const secret = await serve((_, response) => response.end('secret'), '127.0.0.1');
    for (const target of [
      `http://127.0.0.1:${secret}/`,
      `//127.0.0.1:${secret}/`,
      `http://localhost:${secret}/`,
      `http://0x7f000001:${secret}/`,
      'file:///etc/passwd',
      'gopher://example.com/',
      'http://user@127.0.0.2/',
    ]) {
      const port = await serve(
        (_, response) => response.writeHead(302, { location: target }).end(),
        '127.0.0.2',
      );
      start({ allowHosts: ['127.0.0.2:*'] });
      const before = connections;
      await expect(fetched(`http://127.0.0.2:${port}/`)).rejects.toThrow(refusal);
      expect(connections).toBe(before + 1);
      await outbound.close();
    }
    start();
  });
});

describe('what may be allowed', () => {
  const allowed = (rules: Partial<OutboundRules>, host: string) => {
    start(rules);
    try {
      return outbound.check(`http://${host}/`) !== undefined;
    } catch {
      return false;
    }
  };

  it.each<[Partial<OutboundRules>, string, boolean]>([
    [{}, 'example.com', true],
    [{}, '93.184.216.34', true],
    [{}, '[2606:4700::1111]', true],
    [{}, '[64:ff9b::5db8:d822]', true],
    [{ allowHosts: ['10.1.0.0/16'] }, '10.1.2.3', true],
    [{ allowHosts: ['10.1.0.0/16'] }, '10.2.2.3', false],
    [{ allowHosts: ['10.1.0.0/16'] }, '[::ffff:10.1.2.3]', true],
    [{ allowHosts: ['fd12::/16'] }, '[fd12::7]', true],
    [{ allowHosts: ['127.0.0.1'] }, '127.0.0.1', true],
    [{ allowHosts: ['127.0.0.1'] }, '127.0.0.2', false],
    [{ allowHosts: ['printer.local'] }, 'printer.local', true],
    [{ allowHosts: ['*.corp.internal'] }, 'a.corp.internal', true],
    [{ allowHosts: ['*.corp.internal'] }, 'corp.internal', false],
    [{ allowPrivate: true }, '192.168.1.1', true],
    [{ allowPrivate: true }, '127.0.0.1', true],
    [{ allowPrivate: true }, 'localhost', true],
    [{ allowPrivate: true }, '[fd12::7]', true],
    [{ allowPrivate: true }, '100.64.0.1', true],
    [{ allowPrivate: true }, '100.100.100.200', false],
    [{ allowPrivate: true }, '169.254.169.254', false],
    [{ allowPrivate: true }, '169.254.1.1', false],
    [{ allowPrivate: true }, '[fe80::1]', false],
    [{ allowPrivate: true }, '224.0.0.1', false],
    [{ allowPrivate: true }, '0.0.0.0', false],
    [{ allowHosts: ['169.254.0.0/16'] }, '169.254.169.254', false],
    [{ allowHosts: ['169.254.169.254', '169.254.169.254:*'] }, '169.254.169.254', false],
    [{ allowHosts: ['100.100.100.200'] }, '100.100.100.200', false],
    [{ allowHosts: ['0.0.0.0/0', '::/0'] }, '169.254.169.254', false],
    [{ allowHosts: ['0.0.0.0/0'] }, '169.254.1.1', false],
    [{ allowHosts: ['169.254.1.1'] }, '169.254.1.1', true],
    [{ allowHosts: ['10.0.0.1'] }, '10.0.0.1:8080', false],
    [{ allowHosts: ['10.0.0.1'] }, '10.0.0.1:443', false],
    [{ allowHosts: ['10.0.0.1'] }, '10.0.0.1:80', true],
    [{ allowHosts: ['10.0.0.1:8080'] }, '10.0.0.1:8080', true],
    [{ allowHosts: ['10.0.0.1:8080'] }, '10.0.0.1', false],
    [{ allowHosts: ['10.0.0.1:8080'] }, '10.0.0.1:8081', false],
    [{ allowHosts: ['10.0.0.1:8080', '10.0.0.1'] }, '10.0.0.1', true],
    [{ allowHosts: ['10.0.0.1:*'] }, '10.0.0.1:65535', true],
    [{ allowHosts: ['10.1.0.0/16:8080'] }, '10.1.2.3:8080', true],
    [{ allowHosts: ['10.1.0.0/16:8080'] }, '10.1.2.3', false],
    [{ allowHosts: ['10.1.0.0/16'] }, '10.1.2.3:6379', false],
    [{ allowHosts: ['[fd12::7]:8080'] }, '[fd12::7]:8080', true],
    [{ allowHosts: ['[fd12::7]:8080'] }, '[fd12::7]', false],
    [{ allowHosts: ['[fd12::/16]:8080'] }, '[fd12::9]:8080', true],
    [{ allowHosts: ['fd12::7'] }, '[fd12::7]', true],
    [{ allowHosts: ['nas.internal:8080'] }, 'nas.internal:8080', true],
    [{ allowHosts: ['nas.internal:8080'] }, 'nas.internal', false],
    [{ allowHosts: ['nas.internal'] }, 'nas.internal.:8080', false],
    [{ allowHosts: ['*.corp.internal:8443'] }, 'a.corp.internal:8443', true],
    [{ allowHosts: ['*.corp.internal:8443'] }, 'a.corp.internal', false],
    [{}, 'example.com:8443', true],
    [{}, '93.184.216.34:8443', true],
    [{ allowPrivate: true }, '192.168.1.1:8080', true],
    [{ allowHosts: ['224.0.0.0/4'] }, '224.0.0.1', false],
  ])('%j: %s is %s', (rules, host, expected) => {
    expect(allowed(rules, host)).toBe(expected);
  });

  it('a listed name, wherever it leads but to this machine and to metadata', async () => {
    const port = await serve((_, response) => response.end('there'));
    for (const hosts of [
      ['localhost:*'],
      ['nas.example.lan:*', '127.0.0.1:*'],
      ['nas.example.lan', `127.0.0.0/8:${port}`],
    ]) {
      const name = hosts[0] === 'localhost:*' ? 'localhost' : 'nas.example.lan';
      start({ allowHosts: hosts }, naming(['127.0.0.1']));
      expect((await fetched(`http://${name}:${port}/`)).toString()).toBe('there');
      if (name === 'localhost')
        await expect(fetched(`http://other.example.lan:${port}/`)).rejects.toThrow(refusal);
      await outbound.close();
    }
    for (const address of [
      '169.254.169.254',
      '169.254.1.1',
      '100.100.100.200',
      '127.0.0.1',
      '::1',
      '::ffff:127.0.0.1',
      '0.0.0.0',
    ]) {
      start({ allowHosts: ['nas.example.lan:*', '*.example.lan:*'] }, naming([address]));
      await expect(fetched(`http://nas.example.lan:${port}/`)).rejects.toThrow(refusal);
      await outbound.close();
    }
    start();
  });
});

describe('servers of our own', () => {
  const OPEN = {
    allowPrivate: true,
    allowHosts: ['127.0.0.1:*', 'localhost:*', '0.0.0.0/0:*', '::/0', '*.example.com:*'],
  };
  const answers = (addresses: Record<string, string[]>): Lookup => {
    return (hostname, _options, done) => {
      const found = addresses[hostname];
      if (found === undefined) return done(new Error('ENOTFOUND'), []);
      done(
        null,
        found.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
    };
  };
  const post = (url: string) => outbound.post(url, { headers: {}, body: '', timeoutMs: 5_000 });

  it.each(['127.0.0.1', '0.0.0.0', '::', '::1', 'localhost', 'myself.example'])(
    'are never called, by any name and address of this machine (%s)',
    async (host) => {
      const port = await serve((_, response) => response.end('admin'), '0.0.0.0');
      const other = await serve((_, response) => response.end('other'), '0.0.0.0');
      const lookup = answers({
        localhost: ['127.0.0.1'],
        'a.localhost': ['127.0.0.1'],
        'evil.example.com': ['127.0.0.1'],
        'second.example.com': ['127.0.0.2'],
        'mapped.example.com': ['::ffff:127.0.0.1'],
        'both.example.com': ['127.0.0.2', '::1'],
        'myself.example': ['127.0.0.1'],
      });
      start({ ...OPEN, ownServers: () => [{ host, port }] }, lookup);
      const { address: interfaceAddress } = Object.values(networkInterfaces())
        .flatMap((entries) => entries ?? [])
        .find(({ family, internal }) => family === 'IPv4' && !internal) ?? { address: '127.0.0.3' };
      const hosts = [
        '127.0.0.1',
        '127.0.0.2',
        '0x7f.1',
        '2130706433',
        '0177.0.0.1',
        '[::1]',
        '[::ffff:127.0.0.1]',
        '[64:ff9b::127.0.0.1]',
        '0.0.0.0',
        'localhost',
        'LOCALHOST.',
        'a.localhost',
        'evil.example.com',
        'second.example.com',
        'mapped.example.com',
        'both.example.com',
        interfaceAddress,
      ];
      for (const name of hosts) {
        await expect(post(`http://${name}:${port}/api/backends/x/drain`), name).rejects.toThrow(refusal);
        await expect(fetched(`http://${name}:${port}/`), name).rejects.toThrow(refusal);
      }
      expect(connections).toBe(0);
      expect((await post(`http://127.0.0.1:${other}/`)).status).toBe(200);
    },
  );

  it('are refused before anything is sent, where the URL tells by itself', () => {
    start({
      ...OPEN,
      ownServers: () => [
        { host: '127.0.0.1', port: 8188 },
        { host: 'gpu.example.com', port: 443 },
        { host: '203.0.114.5', port: 8188 },
      ],
    });
    for (const url of [
      'http://localhost:8188/prompt',
      'http://127.0.0.9:8188/',
      'https://gpu.example.com/',
      'https://GPU.example.com.:443/',
      'http://gpu.example.com:443/',
      'http://203.0.114.5:8188/',
      'http://[::ffff:203.0.114.5]:8188/',
    ]) {
      expect(() => outbound.check(url), url).toThrow(refusal);
    }
    for (const url of ['http://localhost:8189/', 'https://cpu.example.com/', 'http://203.0.114.5:8189/']) {
      expect(outbound.check(url).href).toBe(url);
    }
  });

  it('are known by where their names lead now, and led before', async () => {
    const port = await serve((_, response) => response.end('ComfyUI'), '0.0.0.0');
    const addresses: Record<string, string[]> = { 'comfy.lan': ['127.0.0.1'] };
    start({ ...OPEN, ownServers: () => [{ host: 'comfy.lan', port }] }, answers(addresses));
    await expect(post(`http://127.0.0.1:${port}/`)).rejects.toThrow(refusal);
    delete addresses['comfy.lan'];
    await expect(post(`http://127.0.0.1:${port}/`)).rejects.toThrow(refusal);
    expect(connections).toBe(0);
  });

  it('that do not answer for their names hold nobody up', async () => {
    const port = await serve((_, response) => response.end('there'));
    start({ ...OPEN, ownServers: () => [{ host: 'gone.lan', port }] }, answers({}));
    expect((await post(`http://127.0.0.1:${port}/`)).status).toBe(200);
  });

  it('are not reached over a redirect either', async () => {
    const own = await serve((_, response) => response.end('admin'), '127.0.0.1');
    const port = await serve((_, response) =>
      response.writeHead(302, { location: `http://127.0.0.1:${own}/api/backends` }).end(),
    );
    start({ ...OPEN, ownServers: () => [{ host: '0.0.0.0', port: own }] });
    await expect(fetched(`http://127.0.0.1:${port}/`)).rejects.toThrow(refusal);
    expect(connections).toBe(1);
  });

  it('may be told when they listen', async () => {
    const own: { host: string; port: number }[] = [];
    start({ ...OPEN, ownServers: () => own });
    const port = await serve((_, response) => response.end('admin'));
    expect(outbound.check(`http://127.0.0.1:${port}/`).port).toBe(String(port));
    own.push({ host: '::', port });
    expect(() => outbound.check(`http://127.0.0.1:${port}/`)).toThrow(refusal);
  });
});

describe('OwnServers', () => {
  const at = async (server: OwnServer, address: string, secure: boolean) => {
    const own = new OwnServers(
      () => [server],
      (_hostname, _options, done) => done(null, [{ address: '93.184.216.34', family: 4 }]),
    );
    await own.learn(server.port);
    return own.includes(readAddress(address) ?? expect.fail('no address'), { port: 443, secure });
  };

  it.each<[OwnServer, string, boolean, boolean]>([
    // Somebody else may have the address of a CDN as well, and another certificate.
    [{ host: 'gpu.example.com', port: 443 }, '93.184.216.34', true, false],
    [{ host: 'gpu.example.com', port: 443 }, '93.184.216.34', false, true],
    [{ host: '10.0.0.1', port: 443 }, '10.0.0.1', true, true],
    [{ host: '10.0.0.1', port: 443 }, '10.0.0.2', true, false],
    [{ host: 'bucket.example.com', port: 443, publicAllowed: true }, '93.184.216.34', false, false],
    [{ host: '100.64.0.1', port: 443, publicAllowed: true }, '100.64.0.1', true, true],
  ])('%j includes %s (TLS: %s): %s', async (server, address, secure, expected) => {
    expect(await at(server, address, secure)).toBe(expected);
  });
});

describe('GET', () => {
  const url = (port: number, path = '/') => `http://127.0.0.1:${port}${path}`;
  beforeEach(() => start({ allowHosts: ['127.0.0.1:*'] }));

  it('streams a file, with or without its length, just as it is', async () => {
    const zipped = gzipSync('x'.repeat(10_000));
    const port = await serve(({ url: path, headers }, response) => {
      expect(headers['accept-encoding']).toBe('identity');
      expect(headers['user-agent']).toBe('comfy-sync-server');
      expect(headers['cdn-loop']).toBe('comfy-sync-server');
      if (path === '/length') response.writeHead(200, { 'content-length': 3, 'X-A': ['1', '2'] }).end('abc');
      else if (path === '/zip') response.writeHead(200, { 'content-encoding': 'gzip' }).end(zipped);
      else response.write('ab', () => response.end('c'));
    });
    const known = await outbound.get(url(port, '/length'), GET);
    expect(known).toMatchObject({ size: 3, headers: { 'x-a': '1, 2' } });
    expect((await buffer(known.body)).toString()).toBe('abc');
    const unknown = await outbound.get(url(port), GET);
    expect(unknown.size).toBeUndefined();
    expect((await buffer(unknown.body)).toString()).toBe('abc');
    expect((await fetched(url(port, '/zip'))).equals(zipped)).toBe(true);
  });

  it('follows five redirects, and not six', async () => {
    const port = await serve(({ url: path = '' }, response) => {
      const left = Number(path.slice(1));
      if (left === 0) response.end('there');
      else
        response
          .writeHead([301, 302, 303, 307, 308][left % 5] ?? 302, { location: String(left - 1) })
          .end('no');
    });
    expect((await fetched(url(port, '/5'))).toString()).toBe('there');
    await expect(fetched(url(port, '/6'))).rejects.toMatchObject({ code: 'redirects' });
  });

  it.each([204, 206, 304, 400, 404, 500, 503])('takes %i for no file', async (status) => {
    const port = await serve((_, response) => response.writeHead(status).end());
    const error = await fetched(url(port)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'status', status, retryable: status >= 500 });
  });

  it('takes no more than wanted, announced or not', async () => {
    const port = await serve(({ url: path }, response) => {
      if (path === '/announced') response.writeHead(200, { 'content-length': 1_001 });
      const timer = setInterval(() => response.write(Buffer.alloc(100)), 1);
      response.on('close', () => clearInterval(timer));
    });
    const limit = { maxBytes: 1_000 };
    await expect(outbound.get(url(port, '/announced'), { ...GET, ...limit })).rejects.toMatchObject({
      code: 'too_large',
    });
    await expect(fetched(url(port), limit)).rejects.toMatchObject({ code: 'too_large' });
    await expect.poll(() => open[0]?.sockets.size, SOON).toBe(0);
  });

  it.each([
    ['before its headers', ''],
    ['in its headers', 'HTTP/1.1 200 OK\r\nContent-Le'],
    ['in its body', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'],
  ])('gives up one that stands still %s', async (_, text) => {
    const port = await say(text);
    await expect(fetched(url(port), { timeoutMs: 200 })).rejects.toMatchObject({ code: 'timeout' });
    await expect.poll(() => open[0]?.sockets.size, SOON).toBe(0);
  });

  it('gives up one that comes in drops', async () => {
    const port = await serve((_, response) => {
      const timer = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(timer));
    });
    await expect(fetched(url(port), { timeoutMs: 300 })).rejects.toMatchObject({ code: 'timeout' });
    await expect.poll(() => open[0]?.sockets.size, SOON).toBe(0);
  });

  it('tells a body that broke off from a whole one', async () => {
    const port = await serve((_, response) => {
      response.writeHead(200, { 'content-length': 10 }).write('abc', () => response.destroy());
    });
    await expect(fetched(url(port))).rejects.toMatchObject({ code: 'unreachable', retryable: true });
    const nobody = await serve(() => undefined);
    await new Promise((resolve) => open.pop()?.server.close(resolve));
    await expect(fetched(url(nobody))).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('stops when its caller does, with the reason of that', async () => {
    const port = await serve(({ url: path }, response) => {
      if (path === '/body') response.write('x');
    });
    for (const path of ['/', '/body']) {
      const leaving = new AbortController();
      const asking = outbound.get(url(port, path), { ...GET, signal: leaving.signal });
      if (path === '/body') {
        const reading = buffer((await asking).body);
        leaving.abort(new Error('left'));
        await expect(reading).rejects.toThrow('left');
      } else {
        await expect.poll(() => open[0]?.sockets.size, SOON).toBe(1);
        leaving.abort(new Error('left'));
        await expect(asking).rejects.toThrow('left');
      }
      await expect.poll(() => open[0]?.sockets.size, SOON).toBe(0);
    }
  });

  it('lets go of a body that nobody reads', async () => {
    const port = await serve((_, response) => void response.write('x'));
    const { body } = await outbound.get(url(port), GET);
    body.destroy();
    await expect.poll(() => open[0]?.sockets.size, SOON).toBe(0);
  });
});

describe('POST', () => {
  const post = (port: number, timeoutMs = 10_000) =>
    outbound.post(`http://127.0.0.1:${port}/hook`, {
      headers: { 'content-type': 'application/json', 'webhook-id': '7' },
      body: '{"a":1}',
      timeoutMs,
    });
  beforeEach(() => start({ allowHosts: ['127.0.0.1:*'] }));

  it('sends what it is given, and tells the status, whatever it is', async () => {
    const seen: unknown[] = [];
    const port = await serve((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method, url, headers } = request;
        seen.push([method, url, headers['webhook-id'], Buffer.concat(chunks).toString()]);
        const status = [200, 302, 410, 500][seen.length - 1] ?? 200;
        response.writeHead(status, { location: '/elsewhere' }).end('ok');
      });
    });
    const statuses = [];
    for (let index = 0; index < 4; index += 1) statuses.push((await post(port)).status);
    expect(statuses).toEqual([200, 302, 410, 500]);
    expect(seen).toEqual(Array.from({ length: 4 }, () => ['POST', '/hook', '7', '{"a":1}']));
  });

  it('does not believe an answer that breaks off, and does not wait for one that never ends', async () => {
    const broken = await say('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
    await expect(post(broken, 200)).rejects.toMatchObject({ code: 'timeout' });
    const cut = await serve((_, response) => {
      response.writeHead(200, { 'content-length': 10 }).write('abc', () => response.destroy());
    });
    await expect(post(cut)).rejects.toMatchObject({ code: 'unreachable' });
    const endless = await serve((_, response) => {
      const timer = setInterval(() => response.write(Buffer.alloc(32 * 1024)), 1);
      response.on('close', () => clearInterval(timer));
    });
    await expect(post(endless)).rejects.toMatchObject({ code: 'too_large', status: 200 });
  });
});

describe('isMadeForCaller', () => {
  it.each([
    [undefined, false],
    ['', false],
    ['comfy-sync-server', true],
    ['other; x=1, Comfy-Sync-Server;v=1', true],
    [['other', 'comfy-sync-server'], true],
    ['comfy-sync-server-2, other', false],
  ])('%j: %s', (header, expected) => expect(isMadeForCaller(header)).toBe(expected));
});
