import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FaultProxy } from './fault-proxy.js';

/** Sends back whatever it gets. */
class Echo {
  readonly sockets = new Set<Socket>();
  private readonly server = net.createServer({ allowHalfOpen: true }, (socket) => {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });

  async listen(): Promise<number> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}

describe('FaultProxy', () => {
  let echo: Echo;
  let proxy: FaultProxy;
  let callers: Socket[];

  beforeEach(async () => {
    echo = new Echo();
    callers = [];
    proxy = await FaultProxy.start({ host: '127.0.0.1', port: await echo.listen() });
  });

  afterEach(async () => {
    await proxy.stop();
    for (const caller of callers) caller.destroy();
    await echo.close();
  });

  async function connect(): Promise<Socket> {
    const caller = net.connect({ host: '127.0.0.1', port: proxy.port, allowHalfOpen: true });
    callers.push(caller);
    await once(caller, 'connect');
    caller.on('error', () => undefined);
    return caller;
  }

  /** Sends, and waits until as much has come back. @returns it, and the milliseconds it took */
  async function exchange(caller: Socket, bytes: Buffer): Promise<{ bytes: Buffer; ms: number }> {
    const started = performance.now();
    const parts: Buffer[] = [];
    let left = bytes.length;
    const got = new Promise<void>((resolve, reject) => {
      caller.on('data', (part: Buffer) => {
        parts.push(part);
        left -= part.length;
        if (left <= 0) resolve();
      });
      caller.once('error', reject);
    });
    caller.write(bytes);
    await got;
    caller.removeAllListeners('data');
    return { bytes: Buffer.concat(parts), ms: performance.now() - started };
  }

  const ping = async (caller: Socket) => (await exchange(caller, Buffer.from('ping'))).bytes.toString();
  const fault = async (caller: Socket) => ((await once(caller, 'error')) as [NodeJS.ErrnoException])[0].code;

  async function isSilent(caller: Socket): Promise<void> {
    let heard = false;
    const hear = () => (heard = true);
    caller.on('data', hear);
    caller.write('anybody there?');
    await sleep(60);
    caller.off('data', hear);
    expect(heard).toBe(false);
    expect(caller.destroyed).toBe(false);
  }

  it('passes megabytes on as they are, both ways at once', async () => {
    const caller = await connect();
    const bytes = randomBytes(5_000_000);
    expect((await exchange(caller, bytes)).bytes.equals(bytes)).toBe(true);
  });

  it('passes an end on, and then everything is gone', async () => {
    const caller = await connect();
    const parts: Buffer[] = [];
    caller.on('data', (part: Buffer) => parts.push(part));
    caller.end('the last words');
    await once(caller, 'close');
    expect(Buffer.concat(parts).toString()).toBe('the last words');
    await expect.poll(() => [proxy.links.length, echo.sockets.size]).toEqual([0, 0]);
  });

  it('is late by the latency both ways, keeps the order in spite of jitter, and heals', async () => {
    const caller = await connect();
    proxy.disturb({ latencyMs: 30, jitterMs: 20 });
    const bytes = randomBytes(1_000_000);
    const late = await exchange(caller, bytes);
    expect(late.bytes.equals(bytes)).toBe(true);
    expect(late.ms).toBeGreaterThanOrEqual(59);
    await proxy.heal();
    expect((await exchange(caller, Buffer.from('ping'))).ms).toBeLessThan(30);
  });

  it('drips, and lets go of the rest when it heals', async () => {
    const caller = await connect();
    proxy.disturb({ bytesPerSecond: 2_000 });
    const bytes = randomBytes(100_000);
    let count = 0;
    caller.on('data', (part: Buffer) => (count += part.length));
    caller.write(bytes);
    await sleep(300);
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThan(2_000);
    await proxy.heal();
    await expect.poll(() => count).toBe(bytes.length);
  });

  it('cuts open connections on both sides and takes new ones', async () => {
    const caller = await connect();
    await ping(caller);
    const reset = fault(caller);
    expect(proxy.cut()).toBe(1);
    expect(await reset).toBe('ECONNRESET');
    await expect.poll(() => echo.sockets.size).toBe(0);
    expect(await ping(await connect())).toBe('ping');
  });

  it('refuses new connections, leaves open ones alone, and takes new ones on the same port again', async () => {
    const caller = await connect();
    proxy.refuse();
    await expect(connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(await ping(caller)).toBe('ping');
    await proxy.heal();
    expect(await ping(await connect())).toBe('ping');
  });

  it('swallows both directions while the sockets stay open; a stream that lost bytes ends with the healing', async () => {
    const lossy = await connect();
    const quiet = await connect();
    await Promise.all([ping(lossy), ping(quiet)]);
    proxy.swallow();
    await isSilent(lossy);
    expect(echo.sockets.size).toBe(2);
    expect(await ping(await connect())).toBe('ping');
    const reset = fault(lossy);
    await proxy.heal();
    expect(await reset).toBe('ECONNRESET');
    expect(await ping(quiet)).toBe('ping');
  });

  it('tells nobody of an end while it swallows', async () => {
    const caller = await connect();
    await ping(caller);
    proxy.swallow();
    for (const socket of echo.sockets) socket.destroy();
    await sleep(50);
    expect(caller.destroyed).toBe(false);
    const reset = fault(caller);
    await proxy.heal();
    expect(await reset).toBe('ECONNRESET');
  });

  it('accepts and never answers as a black hole; heals for those that come after', async () => {
    const before = await connect();
    await ping(before);
    proxy.blackHole();
    const caller = await connect();
    await isSilent(caller);
    expect(echo.sockets.size).toBe(1);
    expect(await ping(before)).toBe('ping');
    const reset = fault(caller);
    await proxy.heal();
    expect(await reset).toBe('ECONNRESET');
    expect(await ping(await connect())).toBe('ping');
  });

  it('troubles one connection and not its neighbour', async () => {
    const first = await connect();
    const second = await connect();
    await Promise.all([ping(first), ping(second)]);
    proxy.links[0]?.swallow();
    proxy.links[1]?.disturb({ latencyMs: 20 });
    await isSilent(first);
    expect((await exchange(second, Buffer.from('ping'))).ms).toBeGreaterThanOrEqual(39);
  });

  it('breaks the connection of a caller whose server is not there', async () => {
    await echo.close();
    expect(await fault(await connect())).toBe('ECONNRESET');
    await expect.poll(() => proxy.links.length).toBe(0);
    await echo.listen();
  });

  it('stops in the middle of all its faults and leaves no connection', async () => {
    const dripping = await connect();
    proxy.disturb({ bytesPerSecond: 100, latencyMs: 10_000 });
    dripping.write(randomBytes(10_000));
    const silent = await connect();
    proxy.links[1]?.swallow();
    proxy.blackHole();
    const lost = await connect();
    await expect.poll(() => proxy.links.length).toBe(3);
    await proxy.stop();
    expect(proxy.links).toEqual([]);
    await expect.poll(() => [dripping, silent, lost].every(({ destroyed }) => destroyed)).toBe(true);
    await expect.poll(() => echo.sockets.size).toBe(0);
  });
});
