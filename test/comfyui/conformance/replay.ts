import { isDeepStrictEqual } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { WebSocket } from 'ws';
import type { ComfyStandin } from '../index.js';
import { isObject, type JsonObject } from '../types.js';
import { type Answer, send, tellHeaders, uploadOf } from './exchange.js';
import type { Names } from './names.js';
import { tell } from './pictures.js';
import type { Item } from './recording.js';

/** Something that did not come out as recorded. */
export interface Difference {
  /** What differs, e.g. `GET /view pixels`; the table of tolerated differences names these. */
  where: string;
  recorded: unknown;
  actual: unknown;
}

/** Bytes that the recorded server took, and those of the stand-in that plays 33, which need not move 100 MiB. */
const RECORDED_LIMIT = 104857600;
export const SMALL_LIMIT = 1_000_000;

const scaled = (size: number) => size - RECORDED_LIMIT + SMALL_LIMIT;

type Frame = { json: JsonObject } | { binary: Buffer };

const IMAGE = sharp({ create: { width: 32, height: 16, channels: 3, background: '#c03020' } })
  .png()
  .toBuffer();

/** Plays what the recorder did to a stand-in and collects what came out differently. */
export class Replay {
  readonly differences: Difference[] = [];
  private readonly sockets = new Map<string, { ws: WebSocket; frames: Frame[]; closed: boolean }>();
  private note: string | undefined;
  private headers: Record<string, string> = {};
  private etag = '';

  constructor(
    private readonly comfy: ComfyStandin,
    private readonly items: readonly Item[],
    private readonly names: Names,
    /** Ms to wait for what the recorder had heard. */
    private readonly patience = 5000,
  ) {}

  async run(): Promise<Difference[]> {
    try {
      for (const [index, item] of this.items.entries()) await this.play(item, index);
      await this.caughtUp(this.items.length);
      // Long enough for an event too many to arrive.
      await sleep(30);
      for (const name of this.sockets.keys()) await this.compareSocket(name);
      return this.differences;
    } finally {
      for (const { ws } of this.sockets.values()) ws.terminate();
    }
  }

  private async play(item: Item, index: number): Promise<void> {
    if (item.dir === '<' && item.kind !== 'ws-close') return;
    if (item.dir === '#') return this.noted(item.text ?? '', index);
    if (item.dir === '!') return;
    // Whatever the recorder had heard by now, we must have heard.
    await this.caughtUp(index);
    if (item.kind === 'ws-open') return this.open(item);
    if (item.kind === 'ws-close') return this.close(item);
    if (item.kind === 'http') return this.exchange(item, index);
    if (item.kind !== 'ws-text') throw new Error(`nobody taught me to send ${item.kind}`);
    this.socket(item.socket).ws.send(JSON.stringify(item.json));
  }

  private async noted(text: string, index: number): Promise<void> {
    if (text.startsWith('upload') || text.startsWith('a file of')) this.note = text;
    if (text.startsWith('headers {')) {
      const own = text.slice('headers '.length).replace('127.0.0.1:8300', this.comfy.address);
      this.headers = JSON.parse(own) as Record<string, string>;
    }
    if (text.startsWith('socket a dropped by TCP shutdown')) {
      await this.caughtUp(index);
      this.socket('a').ws.terminate();
      await until(() => this.comfy.sockets.count === 0);
    }
    if (text === 'SIGKILL') {
      await this.caughtUp(index);
      await this.comfy.kill();
    }
  }

  private async open(item: Item): Promise<void> {
    const ws = new WebSocket(`ws://${this.comfy.address}${item.path ?? ''}`, { perMessageDeflate: false });
    const socket = { ws, frames: [] as Frame[], closed: false };
    this.sockets.set(item.socket ?? '', socket);
    ws.on('message', (data: Buffer, binary: boolean) => {
      socket.frames.push(binary ? { binary: data } : { json: JSON.parse(data.toString()) as JsonObject });
    });
    ws.on('close', () => (socket.closed = true));
    ws.on('error', () => (socket.closed = true));
    await until(() => ws.readyState === WebSocket.OPEN);
  }

  /** At the end, and for a in 10, the recorder closed; in 90 the server was killed. */
  private async close(item: Item): Promise<void> {
    const socket = this.socket(item.socket);
    const killed = this.items.some(({ text }) => text === 'SIGKILL');
    if (!killed) socket.ws.close();
    await until(() => socket.closed);
  }

  private async exchange(item: Item, index: number): Promise<void> {
    const method = item.method ?? 'GET';
    const path = this.names.inText(item.path ?? '/');
    const label = `${method} ${(item.path ?? '').split('?')[0]?.replace(/[0-9a-f-]{36}/, '{id}') ?? ''}`;
    const reply = this.items.slice(index).find(({ dir, kind }) => dir === '<' && kind.startsWith('http'));
    if (reply === undefined) throw new Error(`no reply to ${label} in the recording`);
    if (path.startsWith('/history/') && isObject(reply.json) && Object.keys(reply.json).length > 0) {
      await until(() => this.comfy.history.has(path.slice('/history/'.length)));
    }
    const { body, type } = await this.bodyOf(item);
    let answer: Answer | undefined;
    try {
      answer = await send(this.comfy.url, method, path, body, type, this.headersFor(reply));
      this.etag = answer.headers.etag ?? this.etag;
    } catch {
      answer = undefined;
    }
    this.same(`${label} answered`, reply.kind === 'http', answer !== undefined);
    if (answer !== undefined && reply.kind === 'http') await this.compareAnswer(label, item, reply, answer);
  }

  /** A recording leaves the headers of a request out; a note or the reply tells them (32, 35). */
  private headersFor({ status }: Item): Record<string, string> {
    const noted = this.headers;
    this.headers = {};
    if (status === 206) return { Range: 'bytes=0-9' };
    return status === 304 ? { 'If-None-Match': this.etag } : noted;
  }

  private async bodyOf(item: Item): Promise<{ body: Buffer | undefined; type: string }> {
    if (item.path === '/upload/image') {
      const [, size] = /^a file of (\d+) bytes$/.exec(this.note ?? '') ?? [];
      const file = size === undefined ? await IMAGE : Buffer.alloc(scaled(Number(size)));
      const upload = uploadOf(size === undefined ? this.note : `upload fields {} filename big.png`, file);
      this.note = undefined;
      return upload;
    }
    if (item.rawBytes !== undefined) {
      // What is not JSON, unless its size is the point (04, 33).
      const body =
        item.rawBytes > 1_000_000 ? Buffer.alloc(scaled(item.rawBytes), ' ') : Buffer.from('this is not');
      return { body, type: 'application/json' };
    }
    if (item.body === undefined) return { body: undefined, type: '' };
    return { body: Buffer.from(JSON.stringify(this.names.inBody(item.body))), type: 'application/json' };
  }

  private async compareAnswer(label: string, item: Item, reply: Item, answer: Answer): Promise<void> {
    this.same(`${label} status`, reply.status, answer.status);
    this.same(`${label} headers`, tellHeaders(reply.headers), tellHeaders(answer.headers));
    if (reply.json !== undefined) {
      const actual = asJson(answer.body);
      this.chosenId(label, item, reply.json, actual);
      this.names.learn(reply.json, actual);
      this.same(`${label} body`, this.names.ofRecorded(reply.json), this.names.ofActual(actual));
    } else if (answer.status === 200 && item.method === 'GET' && /^(\/api)?\/view/.test(item.path ?? '')) {
      // 19: of the big picture the recording keeps only the length and a hash.
      const kept = reply.base64 !== undefined;
      const actual = await tell(answer.body);
      const recorded = kept ? await tell(Buffer.from(reply.base64 ?? '', 'base64')) : { kind: 'png' };
      if (!kept) recorded.kind = kindOf(reply) ?? recorded.kind;
      this.sameTold(label, { ...recorded }, kept ? { ...actual } : { kind: actual.kind });
    } else {
      this.same(
        `${label} body`,
        Buffer.from(reply.base64 ?? '', 'base64').toString(),
        answer.body.toString().replace(String(SMALL_LIMIT), String(RECORDED_LIMIT)),
      );
    }
  }

  /** An id that the client chose is used by the new server and not by the old one (11). */
  private chosenId(label: string, item: Item, recorded: unknown, actual: unknown): void {
    const chosen = item.body?.['prompt_id'];
    if (chosen === undefined || !isObject(recorded) || !isObject(actual) || !label.endsWith('/prompt'))
      return;
    this.same(
      `${label} uses the chosen id`,
      recorded['prompt_id'] === chosen,
      actual['prompt_id'] === chosen,
    );
  }

  private async compareSocket(name: string): Promise<void> {
    const recorded = this.recordedFrames(name, this.items.length);
    const actual = this.socket(name).frames;
    const left = await this.describe(recorded, (json) => this.names.ofRecorded(json));
    const right = await this.describe(actual, (json) => this.names.ofActual(json));
    // With several prompts under way the status, sent from other threads, can fall anywhere between their events.
    const several = recorded.some((frame) => 'json' in frame && remaining(frame.json) > 1);
    if (!several) return this.same(`socket ${name} events`, left, right);
    for (const prompt of new Set([...left, ...right].map(({ prompt }) => prompt))) {
      const of = (frames: Described[]) => frames.filter((frame) => frame.prompt === prompt);
      const label = prompt === 'none' ? 'status' : 'events';
      this.same(`socket ${name} ${label}`, of(left), of(right));
    }
  }

  private async describe(
    frames: readonly Frame[],
    canonical: (json: unknown) => unknown,
  ): Promise<Described[]> {
    const described: Described[] = [];
    let current = 'none';
    for (const frame of frames) {
      if ('binary' in frame) {
        described.push({ prompt: current, event: await describeBinary(frame.binary, canonical) });
        continue;
      }
      const event = canonical(frame.json) as { type: string; data: JsonObject };
      const own = event.data['prompt_id'];
      if (typeof own === 'string') current = own;
      described.push({ prompt: typeof own === 'string' ? own : 'none', event });
    }
    return described;
  }

  private recordedFrames(name: string, before: number): Frame[] {
    return this.items
      .slice(0, before)
      .filter(({ dir, socket }) => dir === '<' && socket === name)
      .flatMap(({ kind, json, base64 }): Frame[] => {
        if (kind === 'ws-text' && isObject(json)) return [{ json }];
        return kind === 'ws-binary' ? [{ binary: Buffer.from(base64 ?? '', 'base64') }] : [];
      });
  }

  private async caughtUp(before: number): Promise<void> {
    for (const [name, socket] of this.sockets) {
      const wanted = this.recordedFrames(name, before).length;
      await until(() => socket.frames.length >= wanted || socket.closed, this.patience).catch(() => {
        this.same(`socket ${name} count`, wanted, socket.frames.length);
      });
    }
  }

  private sameTold(label: string, recorded: JsonObject, actual: JsonObject): void {
    for (const part of ['kind', 'size', 'pixels', 'prompt']) {
      this.same(`${label} ${part}`, recorded[part], actual[part]);
    }
  }

  private same(where: string, recorded: unknown, actual: unknown): void {
    if (!isDeepStrictEqual(recorded, actual)) this.differences.push({ where, recorded, actual });
  }

  private socket(name = ''): { ws: WebSocket; frames: Frame[]; closed: boolean } {
    const socket = this.sockets.get(name);
    if (socket === undefined) throw new Error(`socket ${name} is not open`);
    return socket;
  }
}

/** The kind of a file whose bytes the recording left out. */
function kindOf({ headers = {} }: Item): string | undefined {
  return headers['Content-Type'] === 'audio/flac' ? 'flac' : undefined;
}

function asJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return `not JSON: ${body.toString()}`;
  }
}

interface Described {
  prompt: string;
  event: unknown;
}

function remaining(event: JsonObject): number {
  const data = event['data'] as { status?: { exec_info?: { queue_remaining?: number } } } | undefined;
  return data?.status?.exec_info?.queue_remaining ?? 0;
}

/** Type, head and picture of a binary frame; JPEG previews count by their size only, pixels are the sampler's. */
async function describeBinary(frame: Buffer, canonical: (json: unknown) => unknown): Promise<unknown> {
  const type = frame.readUInt32BE(0);
  if (type === 3) return { type, text: frame.subarray(4).toString() };
  if (type !== 4) return { type, format: frame.readUInt32BE(4), picture: await tell(frame.subarray(8)) };
  const length = frame.readUInt32BE(4);
  const metadata = canonical(JSON.parse(frame.subarray(8, 8 + length).toString()));
  return { type, metadata, picture: await tell(frame.subarray(8 + length)) };
}

async function until(condition: () => boolean, patience = 5000): Promise<void> {
  const end = Date.now() + patience;
  while (!condition()) {
    if (Date.now() > end) throw new Error('waited too long');
    await sleep(2);
  }
}
