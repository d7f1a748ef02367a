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

/** Reads one class of `/object_info`: an input is `[type, options]`. */
export function readNodeClass(info: unknown): NodeClass {
  const record = asRecord(info);
  const { required, optional } = asRecord(record?.['input']) ?? {};
  const inputs = { ...asRecord(required), ...asRecord(optional) };
  const media = new Map<string, MediaKind>();
  for (const [input, spec] of Object.entries(inputs)) {
    const options = Array.isArray(spec) ? asRecord(spec[1]) : undefined;
    const mark = MARKS.find(([name]) => options?.[name] === true);
    if (mark !== undefined) media.set(input, mark[1]);
  }
  return { media, outputNode: asBoolean(record?.['output_node']), apiNode: asBoolean(record?.['api_node']) };
}

function asBoolean(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}
