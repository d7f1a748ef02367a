import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { plain } from '../media/png.js';
import { evaluate } from '../python-literal.js';
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
import { write } from './save-nodes.js';

/** What Python says of errno (`os.strerror`). */
const ERRORS: Record<string, string> = {
  '2': 'No such file or directory',
  '5': 'Input/output error',
  '28': 'No space left on device',
  '30': 'Read-only file system',
};

/** The smallest binary glTF. */
const GLB = Buffer.from('glTF\u0002\0\0\0\u0014\0\0\0\0\0\0\0JSON', 'latin1');

/** Nodes that do on purpose what extensions do in the field; each has a namesake on the real servers of the field tests. */
export const testNodes: Record<string, NodeClass> = {
  /** Shows the Python value `value`, which is a dict. */
  TestUI: { run: (inputs) => ({ ui: joined(evaluate(text(inputs['value']))) }) },
  TestRaise: { run: raise },
  TestRaiseOutput: { run: raise },
  TestSleep: { run: pause },
  TestPartner: { async: true, run: pause },
  /** Overwrites `output/<name>`. */
  TestFixedName: {
    run: async (inputs, context) => ({
      ui: { images: [await save(context, pictures(inputs['images']), text(inputs['name']))] },
    }),
  },
  /** Takes its prefix for a file name and makes no folder; style `was` then writes nothing and says nothing. */
  TestPrefixAsName: {
    async run(inputs, context) {
      const name = `${text(inputs['filename_prefix'])}_0001.png`;
      if (!existsSync(join(context.folders.of('output'), dirname(name)))) {
        if (inputs['style'] === 'was') return {};
        throw new PythonError(
          'FileNotFoundError',
          `[Errno 2] No such file or directory: '/srv/ComfyUI/output/${name}'`,
        );
      }
      return { ui: { images: [await save(context, pictures(inputs['images']), name)] } };
    },
  },
  /** Names a file of 0 bytes, after the good files of `images`. */
  TestEmptyFile: {
    async run(inputs, context) {
      const name = text(inputs['name']);
      const good = await saveGood(context, inputs['images'], name);
      await write(pathOf(context, name), Buffer.alloc(0));
      return { ui: { images: [...good, refOf(name)] } };
    },
  },
  /** Names a file that does not exist, after the good files of `images`. */
  TestMissingFile: {
    async run(inputs, context) {
      const name = text(inputs['name']);
      const good = await saveGood(context, inputs['images'], name);
      rmSync(pathOf(context, name), { force: true });
      return { ui: { images: [...good, refOf(name)] } };
    },
  },
  /** Shows the whole path as `filename`. */
  TestPathInFilename: {
    async run(inputs, context) {
      const path = text(inputs['path']);
      await save(context, pictures(inputs['images']), path);
      return { ui: { images: [{ filename: path, subfolder: '', type: 'output' }] } };
    },
  },
  /** Shows a file as Preview3D does: its path under `result`, then camera and background. */
  TestResult3D: {
    async run(inputs, context) {
      const path = text(inputs['path']);
      await write(pathOf(context, path), GLB);
      const form = inputs['form'] ?? 'path';
      const camera = form === 'path' ? [] : [{ position: { x: 1, y: 2, z: 3 }, cameraType: 'perspective' }];
      return { ui: { result: [path, ...camera, ...(form === 'path+camera+background' ? [null] : [])] } };
    },
  },
  /** Saves a text and shows its path on this machine, as WAS does. */
  TestSaveText: {
    async run(inputs, context) {
      const name = text(inputs['name']);
      await write(pathOf(context, name), Buffer.from(text(inputs['text'])));
      return { ui: { files: [`/srv/ComfyUI/output/${name}`], text: [inputs['text']] } };
    },
  },
};

/** ComfyUI joins what a node shows list by list: a string falls apart into its letters, a dict into its keys. */
function joined(value: unknown): JsonObject {
  if (!isObject(value)) throw new PythonError('AttributeError', "object has no attribute 'keys'");
  return Object.fromEntries(Object.entries(value).map(([key, items]) => [key, iterate(items)]));
}

function iterate(items: unknown): unknown[] {
  if (Array.isArray(items)) return items;
  if (typeof items === 'string') return Array.from(items);
  if (isObject(items)) return Object.keys(items);
  throw new PythonError('TypeError', 'object is not iterable');
}

/** `exception` is a class, `OSError:28` one with errno; `ExecutionBlocked` blocks what comes next, `none` does nothing. */
function raise(inputs: JsonObject): { outputs: unknown[] } {
  const message = text(inputs['message']);
  const [type = 'RuntimeError', errno] = text(inputs['exception']).split(':');
  if (type === 'none') return { outputs: [inputs['image']] };
  if (type === 'ExecutionBlocked') {
    return { outputs: [message === '' ? new ExecutionBlocker() : new ExecutionBlocker(message)] };
  }
  const known =
    errno === undefined ? message : `[Errno ${errno}] ${message === '' ? (ERRORS[errno] ?? '') : message}`;
  throw new PythonError(type.replace(/!$/, ''), known);
}

async function pause(inputs: JsonObject, { sleep }: NodeContext): Promise<{ outputs: unknown[] }> {
  await sleep(number(inputs['seconds']) * 1_000);
  return { outputs: [inputs['image']] };
}

function refOf(path: string): FileRef {
  const folder = dirname(path);
  return { filename: basename(path), subfolder: folder === '.' ? '' : folder, type: 'output' };
}

function pathOf({ folders }: NodeContext, name: string): string {
  const path = folders.inside('output', name);
  if (path === undefined) throw new PythonError('ValueError', 'outside of the output folder');
  mkdirSync(dirname(path), { recursive: true });
  return path;
}

async function save(
  context: NodeContext,
  images: ReturnType<typeof pictures>,
  name: string,
): Promise<FileRef> {
  await write(pathOf(context, name), plain(await context.encoder.png(firstOf(images), 4)));
  return refOf(name);
}

async function saveGood(context: NodeContext, images: unknown, name: string): Promise<FileRef[]> {
  if (images === undefined) return [];
  return [await save(context, pictures(images), name.replace(/(\.\w+)?$/, '-good-0.png'))];
}
