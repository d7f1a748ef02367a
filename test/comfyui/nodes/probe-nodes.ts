import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { frame } from '../dialect.js';
import { pngHead } from '../media/png.js';
import { randomFrom } from '../media/random.js';
import { PythonError } from '../python.js';
import { type FileRef, isObject, type JsonObject } from '../types.js';
import {
  ExecutionBlocker,
  firstOf,
  type NodeClass,
  type NodeContext,
  number,
  pictures,
  text,
} from './node.js';
import { numbered, saveTarget, write } from './save-nodes.js';

const PROBE_FILE = 'custom_nodes/probe_nodes/__init__.py';
const CHUNK = 256 * 1024;

/** `torch.OutOfMemoryError` as ProbeRaise raises it (05b). */
export function outOfMemory(): PythonError {
  const message = 'CUDA out of memory. Tried to allocate 20.00 GiB (probe)';
  return new PythonError(
    'torch.OutOfMemoryError',
    message,
    frame(
      PROBE_FILE,
      22,
      'run',
      `if kind=="OOM": raise comfy.model_management.OOM_EXCEPTION("${message}")`,
      'raise',
    ),
  );
}

export const probeNodes: Record<string, NodeClass> = {
  /** Sleeps, reports steps, and hands its picture on (06a). */
  ProbeSlowImage: {
    async run(inputs, { encoder, progress, sleep }) {
      const images = pictures(inputs['image']);
      const steps = number(inputs['steps']);
      for (let step = 1; step <= steps; step++) {
        await sleep(number(inputs['delay_ms']));
        if (inputs['preview'] === true) {
          progress(step, steps, { format: 'image/jpeg', data: await encoder.preview(firstOf(images)) });
        } else progress(step, steps);
      }
      return { outputs: [images] };
    },
  },
  /** Lets nothing downstream run; with a message each node that is held up says so (27). */
  ProbeBlock: {
    run: (inputs) => ({
      outputs: [
        inputs['message'] === '' ? new ExecutionBlocker() : new ExecutionBlocker(text(inputs['message'])),
      ],
    }),
  },
  /** Sleeps beside other nodes (37). */
  ProbeAsync: {
    async: true,
    async run(inputs, { sleep }) {
      await sleep(number(inputs['delay_ms']));
      return { outputs: [inputs['image']] };
    },
  },
  /** Sends two texts: to everybody, and to its client (26). */
  ProbeProgressText: {
    async run(inputs, { nodeId, sendText, sleep }) {
      sendText(nodeId, text(inputs['text']), true);
      await sleep(100);
      sendText(nodeId, `${text(inputs['text'])} to its client`, false);
      return { outputs: [inputs['image']] };
    },
  },
  /** Fails (05a, 05b), or with kind `Blocked` lets nothing downstream run. */
  ProbeRaise: {
    run(inputs) {
      if (inputs['kind'] === 'OOM') throw outOfMemory();
      if (inputs['kind'] === 'Blocked') return { outputs: [new ExecutionBlocker()] };
      const message = 'probe failure: tensor size mismatch';
      throw new PythonError(
        'ValueError',
        message,
        frame(PROBE_FILE, 23, 'run', `raise ValueError("${message}")`),
      );
    },
  },
  /** A text as output (14c). */
  ProbeShowText: {
    run: (inputs) => ({ ui: { text: [inputs['text']] } }),
  },
  /** Expands into two inversions, which leave the picture as it was (17). */
  ProbeExpander: {
    run(_inputs, { nodeId, links }) {
      const [once, twice] = [`${nodeId}.0.0.1`, `${nodeId}.0.0.2`];
      const graph = {
        [once]: { class_type: 'ImageInvert', inputs: { image: links['image'] } },
        [twice]: { class_type: 'ImageInvert', inputs: { image: [once, 0] } },
      };
      return { expand: { graph, result: [[twice, 0]] } };
    },
  },
  /** Ours: writes a file of exactly `size` bytes without holding it in memory. */
  ProbeBytes: {
    async run(inputs, context) {
      const size = number(inputs['size']);
      const target = await saveTarget(context, 'output', text(inputs['filename_prefix']), 1, 1);
      const filename = numbered(target.filename, target.counter, text(inputs['extension']));
      context.folders.saved(target, target.counter + 1);
      await pipeline(Readable.from(probeBytes(size)), createWriteStream(join(target.folder, filename)));
      return { ui: { images: [{ filename, subfolder: target.subfolder, type: 'output' }] } };
    },
  },
  /**
   * Ours: shows the lists that `lists` holds as JSON, as extensions show what they like. `{"file": "png", "bytes": "…"}` in a list
   * becomes a file with this extension and these bytes (base64), `{"file": "png", "size": …}` one of so many; with `"type": "temp"` one that is only shown.
   */
  ProbeLists: {
    async run(inputs, context) {
      const prefix = text(inputs['filename_prefix']);
      const ui: Record<string, unknown[]> = {};
      for (const [name, items] of Object.entries(
        JSON.parse(text(inputs['lists'])) as Record<string, unknown[]>,
      )) {
        const list: unknown[] = [];
        for (const item of items)
          list.push(isObject(item) && 'file' in item ? await probeFile(item, prefix, context) : item);
        ui[name] = list;
      }
      return { ui };
    },
  },
};

async function probeFile(item: JsonObject, prefix: string, context: NodeContext): Promise<FileRef> {
  const type = item['type'] === 'temp' ? 'temp' : 'output';
  const target = await saveTarget(context, type, prefix, 1, 1);
  const filename = numbered(target.filename, target.counter, text(item['file']));
  context.folders.saved(target, target.counter + 1);
  const path = join(target.folder, filename);
  if (typeof item['size'] === 'number')
    await pipeline(Readable.from(probeBytes(item['size'])), createWriteStream(path));
  else await write(path, Buffer.from(text(item['bytes']), 'base64'));
  return { filename, subfolder: target.subfolder, type };
}

/** The contents of a ProbeBytes file: the start of a 1×1 PNG, then noise that is the same for every file. */
export function* probeBytes(size: number): Generator<Buffer> {
  const random = randomFrom(size);
  const noise = Buffer.alloc(CHUNK);
  for (let i = 0; i < CHUNK; i += 4) noise.writeUInt32LE(Math.floor(random() * 4294967296), i);
  const head = pngHead(1, 1, 3).subarray(0, size);
  yield head;
  for (let left = size - head.length; left > 0; left -= CHUNK)
    yield left < CHUNK ? noise.subarray(0, left) : noise;
}
