import { type MediaKind, pathFault } from '../workflow/index.js';
import { asRecord } from './messages.js';

/** The whole numbers that a seed may be, both inclusive. */
export interface SeedRange {
  min: number;
  max: number;
  /** ComfyUI refuses a node without it. */
  required: boolean;
}

/** What we need to know of a node class. */
export interface NodeClass {
  /** Its inputs that name a file, and what that has to be. */
  media: ReadonlyMap<string, MediaKind>;
  /**
   * Its inputs that are chosen from a list, which for loaders is what lies in a folder; and what of the list looks as if it led out
   * of that folder.
   */
  choices: ReadonlyMap<string, ReadonlySet<string>>;
  /** Its inputs that are seeds. */
  seeds: ReadonlyMap<string, SeedRange>;
  /** `output_node`: the server runs a prompt for the sake of such nodes, and takes no others as targets. Undefined where it does not say. */
  outputNode: boolean | undefined;
  /** `api_node`: the node calls a paid service of a partner. Servers of 0.3.11 do not say. */
  apiNode: boolean | undefined;
}

/** How `/object_info` marks inputs whose files the page uploads. */
const MARKS: readonly (readonly [string, MediaKind])[] = [
  ['image_upload', 'image'],
  ['animated_image_upload', 'image'],
  ['video_upload', 'video'],
  ['audio_upload', 'audio'],
  ['file_upload', 'file'],
];

/** What seeds are called. 0.3.11 marks none; later servers mark those of samplers, and numbers that count up as well. */
const SEED_NAME = /(^|[_.])seed$/i;

/** A number that the page changes after each run, and that is not called a seed, is one from this range on. */
const SEED_SPAN = 2 ** 32 - 1;

/** Dynamic inputs may stand in each other; deeper, and beyond so many, none is looked at. */
const MAX_DEPTH = 4;
const MAX_INPUTS = 2_000;
/** As many names the server itself gives a growing input at most. */
const MAX_GROWN = 100;

/** Reads one class of `/object_info`: an input is `[type, options]`. */
export function readNodeClass(info: unknown): NodeClass {
  const record = asRecord(info);
  const inputs: InputSpec[] = [];
  collect(record?.['input'], { prefix: '', depth: MAX_DEPTH }, inputs);
  const media = new Map<string, MediaKind>();
  const choices = new Map<string, ReadonlySet<string>>();
  const seeds = new Map<string, SeedRange>();
  for (const { name, type, options, required } of inputs) {
    const mark = MARKS.find(([known]) => options?.[known] === true);
    if (mark !== undefined) media.set(name, mark[1]);
    const list = type === 'COMBO' ? options?.['options'] : type;
    if (Array.isArray(list)) {
      const odd = list.filter(
        (item): item is string => typeof item === 'string' && pathFault(item) !== undefined,
      );
      choices.set(name, new Set(odd));
    }
    const range = type === 'INT' ? seedRange(name, options ?? {}, required) : undefined;
    if (range !== undefined) seeds.set(name, range);
  }
  return {
    media,
    choices,
    seeds,
    outputNode: asBoolean(record?.['output_node']),
    apiNode: asBoolean(record?.['api_node']),
  };
}

interface InputSpec {
  /** As a prompt names it: with the names of the dynamic inputs around it, separated by dots. */
  name: string;
  /** A name, or the list of a choice. */
  type: unknown;
  options: Record<string, unknown> | undefined;
  required: boolean;
}

/**
 * Collects the inputs among `{required, optional}`. Inputs of a dynamic input have names with dots in a prompt: `images.image0`,
 * `resize_type.width` (40a, 40b).
 */
function collect(section: unknown, at: { prefix: string; depth: number }, found: InputSpec[]): void {
  if (at.depth === 0) return;
  for (const { name, type, options, required } of specsOf(section)) {
    if (found.length >= MAX_INPUTS) return;
    found.push({ name: at.prefix + name, type, options, required: required && at.depth === MAX_DEPTH });
    const within = { prefix: `${at.prefix}${name}.`, depth: at.depth - 1 };
    if (type === 'COMFY_DYNAMICCOMBO_V3') {
      for (const option of asArray(options?.['options']))
        collect(asRecord(option)?.['inputs'], within, found);
    } else if (type === 'COMFY_AUTOGROW_V3') collectGrown(options?.['template'], within.prefix, found);
  }
}

/** The inputs of one that grows: `{input, prefix, max}` or `{input, names}`. */
function collectGrown(rawTemplate: unknown, prefix: string, found: InputSpec[]): void {
  const template = asRecord(rawTemplate);
  const [spec] = specsOf(template?.['input']);
  if (spec === undefined) return;
  const { names, prefix: stem, max } = template ?? {};
  const count = typeof max === 'number' ? Math.min(max, MAX_GROWN) : 0;
  const grown =
    typeof stem === 'string' ? Array.from({ length: count }, (_, nth) => `${stem}${nth}`) : asArray(names);
  for (const name of grown.slice(0, MAX_GROWN)) {
    if (typeof name === 'string') found.push({ ...spec, name: prefix + name, required: false });
  }
}

function specsOf(section: unknown): InputSpec[] {
  const { required, optional } = asRecord(section) ?? {};
  const read = (specs: unknown, isRequired: boolean) =>
    Object.entries(asRecord(specs) ?? {}).flatMap(([name, spec]): InputSpec[] => {
      const [type, options] = asArray(spec);
      return [{ name, type, options: asRecord(options), required: isRequired }];
    });
  return [...read(required, true), ...read(optional, false)];
}

/** Undefined where it is no seed. */
function seedRange(name: string, options: Record<string, unknown>, required: boolean): SeedRange | undefined {
  const min = Number(options['min'] ?? 0);
  const max = Number(options['max'] ?? 2 ** 32 - 1);
  if (!(max > min)) return undefined;
  const counts =
    options['control_after_generate'] !== undefined && options['control_after_generate'] !== false;
  const named = SEED_NAME.test(name);
  return named || (counts && min >= 0 && max - min >= SEED_SPAN) ? { min, max, required } : undefined;
}

function asArray(value: unknown): unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function asBoolean(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}
