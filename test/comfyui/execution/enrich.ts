import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import type { Folders } from '../folders.js';
import { type FileRef, isObject, type JsonObject } from '../types.js';

const KINDS: Record<string, string> = {
  '.png': 'image',
  '.webp': 'image',
  '.mp4': 'video',
  '.flac': 'audio',
  '.mp3': 'audio',
  '.glb': '3d',
  '.txt': 'text',
};

/**
 * What servers newer than 0.8.0 add to each file that a node shows: `metadata`, and an `id` as with assets on. Source: ComfyUI's
 * media_enrichment.py and asset_enrichment.py; not in any recording.
 */
export function enrich(ui: JsonObject, folders: Folders): JsonObject {
  const enriched: JsonObject = {};
  for (const [name, items] of Object.entries(ui)) {
    enriched[name] = Array.isArray(items)
      ? items.map((item: unknown) => (isFile(item) ? entryOf(item, folders) : item))
      : items;
  }
  return enriched;
}

function isFile(item: unknown): item is FileRef {
  return isObject(item) && typeof item['filename'] === 'string' && typeof item['type'] === 'string';
}

function entryOf(file: FileRef, folders: Folders): JsonObject {
  const kind = KINDS[extname(file.filename).toLowerCase()] ?? 'unknown';
  const path = folders.inside(file.type, file.subfolder, file.filename);
  const size = kind === 'image' && file.filename.endsWith('.png') && path ? pngSize(path) : {};
  const id = randomUUID();
  return { ...file, metadata: { kind, ...size }, id, preview_id: id };
}

function pngSize(path: string): JsonObject {
  try {
    const head = readFileSync(path).subarray(16, 24);
    return { width: head.readUInt32BE(0), height: head.readUInt32BE(4) };
  } catch {
    return {};
  }
}
