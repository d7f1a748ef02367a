import { asRecord, asString } from './messages.js';
import { parsePythonJson } from './python-json.js';

/** A picture in a binary frame. `tag` tells whose it is; old servers send none (06a, 13). */
export interface BinaryImage {
  mime: string;
  /** A view on the frame, not a copy. */
  bytes: Uint8Array;
  tag?: { promptId: string; node: string; displayNode: string };
}

const PREVIEW_IMAGE = 1;
const PREVIEW_IMAGE_WITH_METADATA = 4;
const MIME_BY_FORMAT: Readonly<Record<number, string>> = { 1: 'image/jpeg', 2: 'image/png' };

/**
 * Reads a binary frame: 4 bytes big-endian type, then for type 1 four bytes of format and the image, for type 4 four
 * bytes of length, that much JSON and the image. Undefined for other types (3 is text of extensions) and broken frames.
 */
export function parseBinaryFrame(frame: Buffer): BinaryImage | undefined {
  if (frame.length < 8) return undefined;
  const second = frame.readUInt32BE(4);
  switch (frame.readUInt32BE(0)) {
    case PREVIEW_IMAGE: {
      const mime = MIME_BY_FORMAT[second];
      return mime === undefined ? undefined : { mime, bytes: frame.subarray(8) };
    }
    case PREVIEW_IMAGE_WITH_METADATA: {
      const start = 8 + second;
      if (start > frame.length) return undefined;
      return parseTagged(frame.toString('utf8', 8, start), frame.subarray(start));
    }
    default:
      return undefined;
  }
}

function parseTagged(json: string, bytes: Uint8Array): BinaryImage | undefined {
  let data: Record<string, unknown> | undefined;
  try {
    data = asRecord(parsePythonJson(json));
  } catch {
    return undefined;
  }
  const promptId = asString(data?.['prompt_id']);
  const node = asString(data?.['node_id']);
  const mime = asString(data?.['image_type']);
  if (promptId === undefined || node === undefined || mime === undefined) return undefined;
  return { mime, bytes, tag: { promptId, node, displayNode: asString(data?.['display_node_id']) ?? node } };
}
