import { parseArgs } from 'node:util';
import { type Version, VERSIONS } from './dialect.js';
import { ComfyStandin } from './index.js';

const HELP = `A ComfyUI stand-in: speaks ComfyUI's HTTP and WebSocket API and needs no GPU.

  --port 8188            port to listen on (PORT)
  --host 127.0.0.1       address to listen on (HOST)
  --version 0.3.64       speak as this ComfyUI: 0.3.11, 0.3.64 or 0.8.0
  --legacy               the same as --version 0.3.11
  --newer                do also what servers after 0.8.0 do
  --latency 0            ms that every step of KSampler takes
  --node-latency 0       ms that every node takes besides
  --model-load 0         ms that loading a checkpoint takes
  --models-in-memory N   checkpoints that fit, the least recently used one is dropped; all of them without
  --zero-work            keep encoded pictures in memory, for benchmarks
  --base-path ''         answer below this path only
  --token 'name: value'  ask for this header
  --data DIR             keep input, output and temp here instead of a folder that goes away
`;

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: process.env['PORT'] ?? '8188' },
    host: { type: 'string', default: process.env['HOST'] ?? '127.0.0.1' },
    version: { type: 'string' },
    legacy: { type: 'boolean', default: false },
    newer: { type: 'boolean', default: false },
    latency: { type: 'string', default: '0' },
    'node-latency': { type: 'string', default: '0' },
    'model-load': { type: 'string', default: '0' },
    'models-in-memory': { type: 'string', default: 'Infinity' },
    'zero-work': { type: 'boolean', default: false },
    'base-path': { type: 'string', default: '' },
    token: { type: 'string' },
    data: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

function headerOf(token: string): { header: string; value: string } {
  const [header = '', ...value] = token.split(':');
  return { header: header.trim(), value: value.join(':').trim() };
}

if (values.help) process.stdout.write(HELP);
else {
  const version = (values.version ?? (values.legacy ? '0.3.11' : '0.3.64')) as Version;
  if (!VERSIONS.includes(version)) throw new Error(`--version is one of ${VERSIONS.join(', ')}`);
  const comfy = await ComfyStandin.start({
    port: Number(values.port),
    host: values.host,
    version,
    newer: values.newer,
    // Somebody who starts the old one by hand wants to draw with it, too.
    checkpoints: ['random-sd15.safetensors'],
    zeroWork: values['zero-work'],
    stepDelayMs: Number(values.latency),
    nodeDelayMs: Number(values['node-latency']),
    modelLoadMs: Number(values['model-load']),
    modelsInMemory: Number(values['models-in-memory']),
    basePath: values['base-path'],
    ...(values.token === undefined ? {} : { token: headerOf(values.token) }),
    ...(values.data === undefined ? {} : { dataDir: values.data }),
  });
  console.log(`ComfyUI stand-in (${version}) on ${comfy.url}, e.g. curl ${comfy.url}/system_stats`);
  const end = () => void comfy.stop().then(() => process.exit(0));
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
}
