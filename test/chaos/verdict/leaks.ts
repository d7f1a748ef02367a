import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Arena } from '../arena.js';
import { type Holdings, holdingsOf } from '../processes/proc.js';

/** Milliseconds until everything has to be idle: the service waits a minute for an answer of the bucket. */
const IDLE_LIMIT_MS = 75_000;

/** Connections that the service keeps to one ComfyUI: a WebSocket, eight for questions, eight for files. */
const KEPT_PER_BACKEND = 17;

/** Files, and descriptors of other kinds, that may come and go by chance. */
const SLACK = 4;

/** MiB that the service may have grown by since the warm-up: what V8 has not given back yet, and remembered jobs. */
const MAY_GROW_MIB = 200;

/** How the service is when nothing happens. */
export interface Rest {
  /** Undefined where the system does not tell. */
  holdings: Holdings | undefined;
  /** Entries in the stand-ins' histories that nobody deleted. */
  history: number;
  /** How long it took to come to rest. */
  seconds: number;
  complaints: string[];
}

/** Waits until nothing is under way any more, and says what still is. @param baseline after the warm-up */
export async function comeToRest(arena: Arena, baseline: Holdings | undefined): Promise<Rest> {
  const started = Date.now();
  let told = '';
  for (;;) {
    const found = await look(arena, baseline);
    const waited = Date.now() - started;
    if (found.complaints.length === 0) return { ...found, seconds: waited / 1_000 };
    if (waited > IDLE_LIMIT_MS) {
      logUnanswered(arena);
      return { ...found, seconds: waited / 1_000 };
    }
    const tell = found.complaints.join('; ');
    if (tell !== told) arena.log.write(`not at rest: ${tell}`);
    told = tell;
    await sleep(500);
  }
}

/** What the bucket has not answered: most of it because it was told not to. */
function logUnanswered({ bucket, log }: Arena): void {
  for (const { method, key, bytes, headers, aborted, status, at } of bucket.server.seen) {
    const seconds = ((performance.now() - at) / 1_000).toFixed(0);
    const length = headers['content-length'] ?? 'unknown';
    if (status === 0 && !aborted)
      log.write(`bucket, unanswered for ${seconds} s: ${method} ${key}, ${bytes} of ${length} bytes`);
  }
}

async function look(arena: Arena, baseline: Holdings | undefined): Promise<Omit<Rest, 'seconds'>> {
  const { service, backends, port } = arena;
  const complaints: string[] = [];
  const expect = (what: string, found: number | undefined, wanted: number) => {
    if (found !== wanted) complaints.push(`${what}: ${found ?? 'unknown'}, should be ${wanted}`);
  };
  const ready = await service.readiness();
  expect('status of /health/ready', ready?.status, 200);
  expect('backends connected', ready?.connected, backends.length);
  expect('jobs waiting', ready?.waiting, 0);
  let history = 0;
  for (const { name, standin } of backends) {
    const { running, pending, sockets, ...look } = await standin.look();
    history += look.history;
    expect(`prompts running on ${name}`, running.length, 0);
    expect(`prompts pending on ${name}`, pending.length, 0);
    expect(`WebSockets of ${name}`, sockets, 1);
  }
  const { ours, witnesses } = await temporaryFiles(arena.outputFolder, service.pid);
  expect('half-written files of the running service in .tmp', ours, 0);
  expect('files in .tmp that wait to be flushed', witnesses, 0);
  const holdings = await holdingsOf(service.pid, port);
  if (holdings !== undefined) complaints.push(...aboutHoldings(arena, holdings, baseline));
  return { holdings, history, complaints };
}

function aboutHoldings(arena: Arena, holdings: Holdings, baseline: Holdings | undefined): string[] {
  const complaints: string[] = [];
  const limit = (what: string, found: number, most: number) => {
    if (found > most) complaints.push(`${what}: ${found}, at most ${most}`);
  };
  const known = new Map<number, number>();
  for (const { name, proxy } of arena.backends) {
    const count = holdings.outgoing.get(proxy.port) ?? 0;
    known.set(proxy.port, count);
    limit(`connections to ${name}`, count, KEPT_PER_BACKEND);
  }
  const bucketPort = arena.bucket.proxy.port;
  known.set(bucketPort, holdings.outgoing.get(bucketPort) ?? 0);
  limit('connections to the bucket', known.get(bucketPort) ?? 0, 0);
  const elsewhere = [...holdings.outgoing].filter(([port]) => !known.has(port));
  limit('connections to somebody else', elsewhere.length, 0);
  limit('connections of callers', holdings.incoming, 0);
  limit('listening sockets', holdings.listening, 1);
  if (baseline === undefined) return complaints;
  limit('open files', holdings.files.length, baseline.files.length + SLACK);
  limit('sockets of other kinds', holdings.otherSockets, baseline.otherSockets + SLACK);
  limit('other descriptors', holdings.others, baseline.others + SLACK);
  limit('MiB of memory', Math.round(holdings.rssMiB), Math.round(baseline.rssMiB + MAY_GROW_MIB));
  return complaints;
}

/** What lies in `.tmp`, by whose it is. */
export interface TemporaryFiles {
  /** Half-written, by the given process. */
  ours: number;
  /** Half-written, by lives that were killed: swept an hour later. */
  orphans: number;
  /** Whole, and not flushed to the disk yet. */
  witnesses: number;
}

export async function temporaryFiles(outputFolder: string, pid: number): Promise<TemporaryFiles> {
  const folder = join(outputFolder, '.tmp');
  const found: TemporaryFiles = { ours: 0, orphans: 0, witnesses: 0 };
  for (const name of await readdir(folder).catch(() => [])) {
    if (name.includes('~')) found.witnesses += 1;
    else if (name.startsWith(`${pid}-`)) found.ours += 1;
    else found.orphans += 1;
  }
  return found;
}
