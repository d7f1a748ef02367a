import type { MediaKind } from '../workflow/index.js';
import { asRecord } from './messages.js';

/** What we need to know of a node class. */
export interface NodeClass {
  /** Its inputs that name a file, and what that has to be. */
  media: ReadonlyMap<string, MediaKind>;
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

/** Dynamic inputs may stand in each other; deeper, and beyond so many, none is looked at. */
const MAX_DEPTH = 4;
const MAX_MEDIA = 1_000;
/** As many names the server itself gives a growing input at most. */
const MAX_GROWN = 100;

/** Reads one class of `/object_info`: an input is `[type, options]`. */
export function readNodeClass(info: unknown): NodeClass {
  const record = asRecord(info);
  const media = new Map<string, MediaKind>();
  findMedia(record?.['input'], '', MAX_DEPTH, media);
  return { media, outputNode: asBoolean(record?.['output_node']), apiNode: asBoolean(record?.['api_node']) };
}

/**
 * Finds the media inputs among `{required, optional}`. Inputs of a dynamic input have names with dots in a prompt:
 * `images.image0`, `resize_type.width` (40a, 40b).
 */
function findMedia(section: unknown, prefix: string, depth: number, media: Map<string, MediaKind>): void {
  if (depth === 0) return;
  for (const [input, spec] of inputsOf(section)) {
    const [type, rawOptions] = Array.isArray(spec) ? (spec as unknown[]) : [];
    const options = asRecord(rawOptions);
    const mark = MARKS.find(([name]) => options?.[name] === true);
    if (mark !== undefined && media.size < MAX_MEDIA) media.set(prefix + input, mark[1]);
    if (type === 'COMFY_DYNAMICCOMBO_V3') {
      for (const option of asArray(options?.['options'])) {
        findMedia(asRecord(option)?.['inputs'], `${prefix}${input}.`, depth - 1, media);
      }
    } else if (type === 'COMFY_AUTOGROW_V3') findGrown(options?.['template'], `${prefix}${input}.`, media);
  }
}

/** Media inputs of an input that grows: `{input, prefix, max}` or `{input, names}`. */
function findGrown(rawTemplate: unknown, prefix: string, media: Map<string, MediaKind>): void {
  const template = asRecord(rawTemplate);
  const [[, spec] = []] = inputsOf(template?.['input']);
  const options = Array.isArray(spec) ? asRecord(spec[1]) : undefined;
  const mark = MARKS.find(([name]) => options?.[name] === true);
  if (mark === undefined) return;
  const { names, prefix: stem, max } = template ?? {};
  const count = typeof max === 'number' ? Math.min(max, MAX_GROWN) : 0;
  const grown =
    typeof stem === 'string' ? Array.from({ length: count }, (_, nth) => `${stem}${nth}`) : asArray(names);
  for (const name of grown.slice(0, MAX_GROWN)) {
    if (typeof name === 'string' && media.size < MAX_MEDIA) media.set(prefix + name, mark[1]);
  }
}

function inputsOf(section: unknown): [string, unknown][] {
  const { required, optional } = asRecord(section) ?? {};
  return Object.entries({ ...asRecord(required), ...asRecord(optional) });
}

function asArray(value: unknown): unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function asBoolean(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}
