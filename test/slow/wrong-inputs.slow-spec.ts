import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROBLEMS } from '../../src/problem/index.js';
import { ComfyStandin } from '../comfyui/index.js';
import { Gateway } from '../e2e/support/gateway.js';
import { picture } from '../e2e/support/workflows.js';

interface Schema {
  $ref?: string;
  type?: string;
  enum?: unknown[];
  oneOf?: Schema[];
  minimum?: number;
  nullable?: boolean;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  required?: string[];
}

interface Operation {
  operationId: string;
  parameters?: { name: string; in: string; schema?: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
}

interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

/** One wrong request. */
interface Attempt {
  what: string;
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** Statuses that are right; without it any below 500. */
  right?: readonly number[];
}

const { paths, components } = JSON.parse(
  readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8'),
) as Document;

const JSON_TYPE = { 'content-type': 'application/json' };
const VALID: Record<string, unknown> = {
  workflow_data: picture({ color: 1, width: 8, height: 8 }),
  output_node_id: 277,
};
/** A body that is right, by path. */
const VALID_BY_PATH: Record<string, Record<string, unknown>> = {
  '/api/v2/jobs': { workflow: VALID['workflow_data'] },
  '/api/v2/assets/from-hash': { hash: `blake3:${'0'.repeat(64)}` },
};
const validFor = (path: string) => VALID_BY_PATH[path] ?? VALID;

/** Comfy API v2 has an envelope of its own, and 422 for what is wrong with a request. */
const isContract = (path: string) => path.startsWith('/api/v2/');

const UUID = '7c9e6679-7425-40de-944b-e07fc1f90ae7';
const REFUSED = [400, 422];

/** The same requests in every run. */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
const random = makeRandom(20_261_123);

const nested = (depth: number, open: string, close: string) => open.repeat(depth) + '1' + close.repeat(depth);

/** Values as they stand in JSON, some of which no `JSON.stringify` would write. */
const VALUES: readonly string[] = [
  'null',
  'true',
  'false',
  '0',
  '-0',
  '-1',
  '1.5',
  '1e2',
  '1e-7',
  '1e400',
  '-1e400',
  '9007199254740993',
  '18446744073709551615',
  '-9223372036854775809',
  '9'.repeat(400),
  '0.1234567890123456789012345678901234567890',
  '""',
  '" "',
  '"0"',
  '"277"',
  '"url "',
  '"URL"',
  '"../../etc/passwd"',
  '"/srv/x"',
  '"__proto__"',
  '"constructor"',
  String.raw`"\u0000"`,
  String.raw`"\u0007\u001b[31m\r\nSet-Cookie: a=b"`,
  String.raw`"\ud800"`,
  '"ʘ‿ʘ 你好 \u202Egnp.exe"',
  JSON.stringify('x'.repeat(129)),
  JSON.stringify('y'.repeat(200_000)),
  JSON.stringify('<script>alert(1)</script>'),
  '[]',
  '[1]',
  '[null]',
  '["277"]',
  '{}',
  '{"a":1}',
  '{"length":1}',
  '{"toString":1}',
  '{"then":1}',
  '{"__proto__":{"polluted":true}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
  '{"nodes":[],"links":[]}',
  '{"prompt":{"1":{"class_type":"A"}}}',
  '{"1":null}',
  '{"1":[]}',
  '{"1":{"class_type":1}}',
  '{"1":{"class_type":""}}',
  '{"1":{"class_type":"SaveImage","inputs":[]}}',
  '{"1":{"class_type":"SaveImage","inputs":null}}',
  '{"1":{"class_type":"SaveImage"}}',
  '{"1":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"../../x"}}}',
  '{"1":{"class_type":"SaveImage","inputs":{"images":["1",1e400],"filename_prefix":18446744073709551615}}}',
  '{"__proto__":{"class_type":"SaveImage","inputs":{}}}',
  '{"":{"class_type":"SaveImage","inputs":{"":""}}}',
  nested(30, '[', ']'),
  nested(63, '{"a":', '}'),
  nested(200, '[', ']'),
  nested(5_000, '{"a":', '}'),
];

function resolve(schema: Schema): Schema {
  const name = schema.$ref?.split('/').at(-1);
  return name === undefined ? schema : (components.schemas[name] ?? {});
}

/** Does the document allow this value? An optional field may be null as well: that is how many clients leave one out. */
function allows(schema: Schema, value: unknown): boolean {
  const { type, enum: values, oneOf, minimum = -Infinity } = resolve(schema);
  if (oneOf !== undefined) return oneOf.some((option) => allows(option, value));
  if (values !== undefined) return values.includes(value);
  if (type === 'string') return typeof value === 'string';
  if (type === 'integer') return typeof value === 'number' && Number.isInteger(value) && value >= minimum;
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  return true;
}

/** Workflow tools write numbers, booleans and objects as texts, which is the same where the text is such a value. */
function allowsText(schema: Schema, value: unknown): boolean {
  if (typeof value !== 'string') return false;
  try {
    return allows(schema, JSON.parse(value));
  } catch {
    return false;
  }
}

function parsed(text: string): unknown {
  return JSON.parse(text);
}

/** A body with one member replaced, written by hand so that the value stays as it is. */
function withMember(name: string, value: string, valid = VALID): string {
  const rest = Object.entries(valid).filter(([key]) => key !== name);
  const members = rest.map(([key, member]) => `${JSON.stringify(key)}:${JSON.stringify(member)}`);
  return `{${[...members, `${JSON.stringify(name)}:${value}`].join(',')}}`;
}

function* bodies(path: string, schema: Schema): Generator<Attempt> {
  const send = (what: string, body: string | Buffer, right?: readonly number[], headers = {}): Attempt => ({
    what,
    method: 'POST',
    path,
    body,
    headers: { ...JSON_TYPE, ...headers },
    ...(right === undefined ? {} : { right: isContract(path) ? [...right, 422] : right }),
  });
  const body = validFor(path);
  const { properties = {}, required = [] } = resolve(schema);
  for (const [name, property] of Object.entries(properties)) {
    for (const value of VALUES) {
      const wrong =
        !allows(property, parsed(value)) &&
        !allowsText(property, parsed(value)) &&
        (value !== 'null' || required.includes(name));
      yield send(
        `${name}: ${value.slice(0, 40)}`,
        withMember(name, value, body),
        wrong ? REFUSED : undefined,
      );
    }
  }
  for (const name of required) {
    const rest = Object.fromEntries(Object.entries(body).filter(([key]) => key !== name));
    yield send(`without ${name}`, JSON.stringify(rest), [400]);
  }
  for (const name of [
    'extra',
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    '',
    'é\u0000',
    'x'.repeat(50_000),
  ]) {
    yield send(`extra ${name.slice(0, 20)}`, withMember(name, '{"polluted":true}', body), [400]);
  }
  // Pairs of values at random: mistakes that only show together.
  const names = Object.keys(properties);
  const any = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  for (let round = 0; round < 80; round += 1) {
    const members = names.map((name) => `${JSON.stringify(name)}:${any(VALUES)}`);
    yield send(`random ${round}`, `{${members.join(',')}}`);
  }
  const valid = JSON.stringify(body);
  for (let round = 0; round < 40; round += 1) {
    const at = Math.floor(random() * valid.length);
    const bytes = Buffer.from(valid);
    bytes[at] = Math.floor(random() * 256);
    yield send(`flipped byte ${round}`, bytes);
    yield send(`cut off at ${at}`, valid.slice(0, at), [400]);
  }
  for (const text of [
    '',
    ' ',
    'null',
    '1',
    '"x"',
    '[]',
    '[{}]',
    'undefined',
    'NaN',
    '{a:1}',
    "{'a':1}",
    '{"a":1,}',
    '// x',
    '\uFEFF{}',
    '{}{}',
    '\u0000',
  ]) {
    yield send(`body ${JSON.stringify(text)}`, text, [400]);
  }
  yield send('duplicate members', '{"workflow_data":1,"workflow_data":{}}', REFUSED);
  yield send('deep', `{"workflow_data":${'['.repeat(400_000)}`, [400]);
  yield send('not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), [400]);
  yield send('too large', JSON.stringify({ workflow_data: { a: 'x'.repeat(1_200_000) } }), [413]);

  for (const type of [
    'text/plain',
    'application/xml',
    'application/x-www-form-urlencoded',
    'multipart/mixed; boundary=x',
    'image/png',
    '*/*',
    'json',
    'application/',
    ';',
    'application/json/x',
  ]) {
    yield send(`type ${type}`, valid, [415], { 'content-type': type });
  }
  for (const type of [
    'multipart/form-data',
    'multipart/form-data; boundary=x',
    'multipart/form-data; boundary=',
  ]) {
    // Only the sync faces take forms.
    yield send(`type ${type}`, valid, [400, 415], { 'content-type': type });
  }
  for (const charset of ['nonsense', 'x'.repeat(500)]) {
    yield send(`charset ${charset.slice(0, 20)}`, valid, [400, 415], {
      'content-type': `application/json; charset=${charset}`,
    });
  }
  for (const charset of ['""', 'utf-7', 'utf-16', 'utf-16le', 'utf-32', 'iso-8859-1', 'gbk', 'UTF8']) {
    yield send(`charset ${charset}`, valid, undefined, {
      'content-type': `application/json; charset=${charset}`,
    });
  }
  const zipped = gzipSync(valid);
  const encoded = (what: string, body: Buffer, encoding: string, right: readonly number[]) =>
    send(what, body, right, { 'content-encoding': encoding });
  yield encoded('gzip that is not', Buffer.from(valid), 'gzip', [400]);
  yield encoded('gzip cut off', zipped.subarray(0, zipped.length / 2), 'gzip', [400]);
  yield encoded(
    'gzip with a broken sum',
    Buffer.concat([zipped.subarray(0, -8), Buffer.alloc(8)]),
    'gzip',
    [400],
  );
  yield encoded('gzip of nothing', Buffer.alloc(0), 'gzip', [400]);
  yield encoded('gzip bomb', gzipSync(Buffer.alloc(200_000_000, 0x20)), 'gzip', [413]);
  yield encoded('deflate that is not', Buffer.from(valid), 'deflate', [400]);
  yield encoded('brotli bomb', brotliCompressSync(Buffer.alloc(50_000_000, 0x20)), 'br', [413]);
  yield encoded('gzip twice', gzipSync(zipped), 'gzip, gzip', [415]);
  // Newer versions of Node can unpack this one, and find that it is not what it says.
  yield encoded('encoding zstd', Buffer.from(valid), 'zstd', [400, 415]);
  for (const encoding of ['compress', 'x', 'gzip;q=1', 'toString']) {
    yield encoded(`encoding ${encoding}`, Buffer.from(valid), encoding, [415]);
  }
  for (const accept of [
    '',
    ';;;',
    'image/*;q=nope',
    'text/html;q=0',
    '*/*;q=0',
    ',,,',
    'a/b/c',
    'application/json;q=9e99',
    'x/y,'.repeat(1_500),
    '\u00ff\u00fe',
  ]) {
    yield send(`Accept ${accept.slice(0, 20)}`, withMember('output_index', '-1', body), [400], { accept });
  }
}

const PARTS = [
  '%',
  '%2',
  '%zz',
  '%ff',
  '%c0%ae',
  '%E0%A4%A',
  '%00',
  '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
  '..%5c..%5cx',
  '%0d%0aSet-Cookie:%20a=b',
  '.',
  '..',
  '.tmp',
  '.link-secrets',
  '__proto__',
  'constructor',
  '%20',
  'x'.repeat(4_000),
  "';--",
  '%F0%9F%A6%8A',
  UUID.toUpperCase(),
  `${UUID}%00`,
  UUID,
];
const QUERIES = [
  'output_index=-1',
  'output_index=x',
  'output_index=1.5',
  'output_index=1e400',
  'output_index=18446744073709551615',
  'output_index[]=1',
  'output_index[a]=1',
  'output_index=1&output_index=2',
  'response_type=base64',
  'response_type[]=url',
  'response_type[__proto__]=x',
  '__proto__[polluted]=true',
  'constructor[prototype][polluted]=true',
  'nonsense=1',
  '%',
  '%zz=1',
  '=',
  '&&&',
  'a'.repeat(6_000),
  'e=1&k=1&s=1',
  'e=x&k[]=&s=%00',
  'e=99999999999999999999&k=../..&s=x',
];

/** Addresses: every path parameter, every query, every method. */
function* addresses(path: string, methods: readonly string[]): Generator<Attempt> {
  const parts = path.includes('{') ? PARTS : [''];
  for (const part of parts) {
    const target = path.replace(/\{[^}]+\}/, part);
    for (const method of methods.includes('get') ? ['GET', 'HEAD'] : []) {
      yield { what: `${path} with ${part.slice(0, 40)}`, method, path: target };
    }
  }
  const target = path.replace(/\{[^}]+\}/, UUID);
  for (const query of QUERIES) {
    if (methods.includes('get'))
      yield { what: `${path}?${query.slice(0, 40)}`, method: 'GET', path: `${target}?${query}` };
  }
  for (const method of [
    'GET',
    'POST',
    'PUT',
    'PATCH',
    'DELETE',
    'OPTIONS',
    'TRACE',
    'PROPFIND',
    'SEARCH',
    'M-SEARCH',
  ]) {
    if (methods.includes(method.toLowerCase())) continue;
    yield { what: `${method} ${path}`, method, path: target, right: [400, 404, 405] };
    yield {
      what: `${method} ${path} with a body`,
      method,
      path: target,
      headers: JSON_TYPE,
      body: '{"a":1}',
      right: [400, 404, 405],
    };
  }
}

function* attempts(): Generator<Attempt> {
  for (const [path, item] of Object.entries(paths)) {
    yield* addresses(path, Object.keys(item));
    for (const operation of Object.values(item)) {
      const schema = operation.requestBody?.content['application/json']?.schema;
      if (schema !== undefined) yield* bodies(path, schema);
    }
  }
  for (const part of PARTS) {
    yield { what: 'a file', method: 'GET', path: `/output_images/${part}`, right: [400, 404] };
    yield { what: 'docs', method: 'GET', path: `/docs/${part}` };
    yield { what: 'nothing', method: 'GET', path: `/${part}` };
  }
  for (const path of [
    '//',
    '/api//generate',
    '/api/generate/../../etc/passwd',
    '/API/GENERATE/',
    '/output_images',
    '/output_images/',
    '/docs/../../package.json',
    '/?a',
    '/%2e%2e/',
    '/\\..\\',
  ]) {
    yield { what: path, method: 'GET', path };
  }
  yield {
    what: 'many headers',
    method: 'GET',
    path: '/health/live',
    headers: Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`x-${index}`, 'y'])),
  };
  yield {
    what: 'ranges',
    method: 'GET',
    path: `/files/x?e=1&k=1&s=1`,
    headers: { range: `bytes=${'0-1,'.repeat(500)}`, 'if-none-match': '"'.repeat(3_000) },
  };
}

/** Requests that no HTTP client would write. `bare`: Node's parser may answer without a body of ours, or hang up. */
const valid = JSON.stringify(VALID);
const head = (...lines: string[]) =>
  [`POST /api/generate HTTP/1.1`, 'Host: x', 'Connection: close', ...lines, '', ''].join('\r\n');
const RAW: Record<string, string> = {
  'two lengths': head('Content-Type: application/json', 'Content-Length: 5', 'Content-Length: 6') + '{"a":1}',
  'a length that is none': head('Content-Type: application/json', 'Content-Length: 1e3') + '{}',
  'a negative length': head('Content-Type: application/json', 'Content-Length: -1') + '{}',
  'a length beyond 64 bits':
    head('Content-Type: application/json', 'Content-Length: 99999999999999999999') + '{}',
  'length and chunks':
    head('Content-Type: application/json', 'Content-Length: 3', 'Transfer-Encoding: chunked') + '0\r\n\r\n',
  'chunks that are garbage':
    head('Content-Type: application/json', 'Transfer-Encoding: chunked') + 'zz\r\n{}\r\n0\r\n\r\n',
  'a chunk too long':
    head('Content-Type: application/json', 'Transfer-Encoding: chunked') + 'fffffffffffffffff\r\n{}',
  'chunks, twice':
    head('Content-Type: application/json', 'Transfer-Encoding: chunked, chunked') + '0\r\n\r\n',
  'an unknown transfer encoding': head('Content-Type: application/json', 'Transfer-Encoding: gzip') + '{}',
  'a body without a length': head('Content-Type: application/json') + '{}',
  'a smuggled second request':
    head('Content-Type: application/json', 'Content-Length: 2') + '{}GET /x HTTP/1.1\r\n\r\n',
  'huge headers': head(`X-Large: ${'y'.repeat(200_000)}`),
  'a huge address': `GET /${'a'.repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
  'a header with a zero': head('X-Zero: a\u0000b'),
  'a header without a name': head(': x'),
  'a header with a space': head('X Y: z'),
  'a folded header': head('X-Fold: a', ' b'),
  'bare newlines': 'GET /health/live HTTP/1.1\nHost: x\nConnection: close\n\n',
  'no host': 'GET /health/live HTTP/1.1\r\nConnection: close\r\n\r\n',
  'two hosts': 'GET /health/live HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n',
  'HTTP/0.9': 'GET /health/live\r\n\r\n',
  'HTTP/1.0': `POST /api/generate HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
  'HTTP/9.9': 'GET / HTTP/9.9\r\nHost: x\r\n\r\n',
  'HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  TLS: '\u0016\u0003\u0001\u0002\u0000\u0001\u0000',
  'an unknown method': 'BREW /api/generate HTTP/1.1\r\nHost: x\r\n\r\n',
  CONNECT: 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n',
  'an absolute address': 'GET http://169.254.169.254/latest HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  'an asterisk': 'OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  'an address with a fragment': 'GET /docs#x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  'an address without a slash': 'GET api/generate HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  'bytes above 127 in the address': 'GET /\u00e4\u00ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  'an upgrade to nothing':
    'GET /api/generate HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n',
  'an odd expectation':
    head('Content-Type: application/json', 'Expect: nonsense', 'Content-Length: 2') + '{}',
  'a trailer':
    head('Content-Type: application/json', 'Transfer-Encoding: chunked', 'Trailer: X') +
    '2\r\n{}\r\n0\r\nX: y\r\n\r\n',
};

interface Answer {
  status: number;
  type: string;
  text: string;
  ms: number;
}

const TIME_LIMIT_MS = 5_000;

function send(base: string, { method, path, headers = {}, body }: Attempt): Promise<Answer> {
  const started = Date.now();
  const { hostname, port } = new URL(base);
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { hostname, port, method, path, agent: false, headers: { ...length, ...headers } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const { statusCode: status = 0, headers } = response;
          resolve({
            status,
            type: headers['content-type'] ?? '',
            // Links to this server are no secret.
            text: Buffer.concat(chunks).toString().replaceAll(base, ''),
            ms: Date.now() - started,
          });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.setTimeout(TIME_LIMIT_MS, () => outgoing.destroy(new Error('no answer in time')));
    outgoing.end(body);
  });
}

/** Writes it as it is, and reads until the server has said all. */
function sendRaw(base: string, text: string): Promise<Answer> {
  const started = Date.now();
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(Number(port), hostname, () => socket.write(text, 'latin1'));
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error('no answer in time'));
    }, TIME_LIMIT_MS);
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      // A complete request whose connection stays open: the other half is ended here.
      if (Buffer.concat(chunks).includes('\r\n\r\n')) socket.end();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      const all = Buffer.concat(chunks).toString('latin1');
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(all)?.[1] ?? 0);
      resolve({
        status,
        type: /content-type: ([^\r]*)/i.exec(all)?.[1] ?? '',
        text: all,
        ms: Date.now() - started,
      });
    });
  });
}

const LEAKS =
  /\/(srv|work|tmp|home|root|usr)\/\w|node_modules|\bat .*\(.*:\d+:\d+\)|\.[cm]?[jt]s:\d|node:internal|127\.0\.0\.1|\[object |ECONN|undici|class-validator|traceback(?!":null)/i;

/** What is wrong with an answer; empty where nothing is. */
function faultsOf(
  { what, method, path, right, body }: Attempt,
  { status, type, text, ms }: Answer,
): string[] {
  const faults: string[] = [];
  const name = `${method} ${what} → ${status} ${text.slice(0, 200)}`;
  if (ms >= TIME_LIMIT_MS) faults.push(`${name}: took ${ms} ms`);
  if (status >= 500) faults.push(`${name}: our fault`);
  if (right !== undefined && !right.includes(status)) faults.push(`${name}: should be ${right.join(' or ')}`);
  const sent = body?.toString() ?? '';
  const leak = LEAKS.exec(text)?.[0];
  // Words of the caller may come back to the caller.
  if (leak !== undefined && !sent.includes(leak)) faults.push(`${name}: tells ${leak}`);
  if (status < 400 || method === 'HEAD') return faults;
  if (isContract(path)) return [...faults, ...envelopeFaults(name, status, type, text)];
  if (!type.startsWith('application/problem+json')) return [...faults, `${name}: is ${type || 'nothing'}`];
  const problem = JSON.parse(text) as { code: string; status: number; title: string; detail: string };
  const row = PROBLEMS[problem.code as keyof typeof PROBLEMS] as
    { status: number; title: string } | undefined;
  if (row?.status !== status || problem.status !== status) faults.push(`${name}: not a row of the table`);
  if (row?.title !== problem.title || problem.detail === '') faults.push(`${name}: says nothing`);
  if (text.length > 20_000) faults.push(`${name}: ${text.length} characters`);
  return faults;
}

/** As `faultsOf`, for an error of Comfy API v2. */
function envelopeFaults(name: string, status: number, type: string, text: string): string[] {
  if (!type.startsWith('application/json')) return [`${name}: is ${type || 'nothing'}`];
  const { code, message } = (JSON.parse(text) as { error: { code: string; message: string } }).error;
  const row = PROBLEMS[code as keyof typeof PROBLEMS] as { status: number } | undefined;
  const right = code === 'invalid_request' ? 422 : row?.status;
  return [
    ...(right === status ? [] : [`${name}: not a row of the table`]),
    ...(message === '' ? [`${name}: says nothing`] : []),
    ...(text.length > 20_000 ? [`${name}: ${text.length} characters`] : []),
  ];
}

describe('wrong requests', () => {
  let comfy: ComfyStandin;
  let gateway: Gateway;
  const byStatus = new Map<number, number>();
  const count = (status: number) => byStatus.set(status, (byStatus.get(status) ?? 0) + 1);

  beforeAll(async () => {
    comfy = await ComfyStandin.start({ zeroWork: true });
    gateway = await Gateway.start(comfy.url, {
      env: { MAX_BODY_MB: '1', ADMIN_TOKEN: 'nobody knows it' },
    });
  });
  afterAll(async () => {
    const line = [...byStatus]
      .sort(([a], [b]) => a - b)
      .map(([status, times]) => `${status || 'closed'}: ${times}`);
    console.log(
      `${[...byStatus.values()].reduce((sum, times) => sum + times, 0)} wrong requests → ${line.join(', ')}`,
    );
    await gateway.stop();
    await comfy.stop();
  });

  it(
    'are answered in time, with a problem of the table, and told nothing they should not know',
    { timeout: 180_000 },
    async () => {
      const faults: string[] = [];
      const all = [...attempts()];
      expect(all.length).toBeGreaterThan(500);
      const work = all[Symbol.iterator]();
      // A few at a time, so that none waits for a job of another.
      const worker = async () => {
        for (const attempt of work) {
          try {
            const answer = await send(gateway.url, attempt);
            count(answer.status);
            faults.push(...faultsOf(attempt, answer));
          } catch (error) {
            faults.push(`${attempt.method} ${attempt.what}: ${(error as Error).message}`);
          }
        }
      };
      await Promise.all([worker(), worker(), worker(), worker()]);
      expect(faults).toEqual([]);
    },
  );

  // class-validator looks fields up in a plain object, and finds what every object inherits.
  it('of which none may hold a field that is named like something every object has', async () => {
    for (const name of Object.getOwnPropertyNames(Object.prototype)) {
      const problem = await gateway.problem('/api/generate', withMember(name, '1'));
      expect(problem).toMatchObject({ status: 400, code: 'invalid_request' });
      expect(problem.errors?.map(({ field }) => field)).toEqual([name]);
    }
  });

  it.each(Object.entries(RAW))('raw: %s', async (_, text) => {
    const answer = await sendRaw(gateway.url, text);
    count(answer.status);
    expect(answer.status).toBeLessThan(500);
    expect(answer.text).not.toMatch(LEAKS);
    // What Node's own parser refuses has no body.
    const body = answer.text.split('\r\n\r\n').slice(1).join('').trim();
    const bare = body === '' || body === '0';
    if (answer.status >= 400 && !bare) expect(answer.type).toMatch(/^application\/problem\+json/);
  });

  it('leave nothing behind: it is ready, and serves the next call', async () => {
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect((await gateway.fetch('/health/ready')).status).toBe(200);
    await expect.poll(() => comfy.queue, { timeout: 5_000 }).toEqual({ running: [], pending: [] });
    const reply = await gateway.generate(JSON.parse(valid) as Record<string, unknown>);
    expect((await gateway.fetch(reply.url)).headers.get('content-type')).toBe('image/png');
  });
});
