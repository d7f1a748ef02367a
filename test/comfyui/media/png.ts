import { crc32, deflate, deflateSync } from 'node:zlib';
import { promisify } from 'node:util';
import { dumps } from '../python.js';
import type { JsonObject } from '../types.js';
import { type Picture, toByte, toSharp } from './picture.js';

const deflateLater = promisify(deflate);

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** Signature, IHDR chunk: text goes right behind them, as Pillow writes it (base64 in recording 01). */
const HEAD_LENGTH = 33;
/** Below this many bytes of pixels a thread is dearer than the work. */
const SMALL = 256 * 256 * 3;

/** A PNG cut where text chunks go in. */
export interface EncodedPng {
  readonly head: Buffer;
  readonly tail: Buffer;
}

function chunk(type: string, data: Buffer): Buffer {
  const out = Buffer.allocUnsafe(data.length + 12);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, 'latin1');
  data.copy(out, 8);
  out.writeUInt32BE(crc32(out.subarray(4, data.length + 8)), data.length + 8);
  return out;
}

/** Signature and IHDR of a picture of 8 bits a channel. */
export function pngHead(width: number, height: number, channels: 1 | 3): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  header[9] = channels === 1 ? 0 : 2;
  return Buffer.concat([SIGNATURE, chunk('IHDR', header)]);
}

/** SaveImage compresses at level 4, SaveImageWebsocket at level 1. */
export async function encodePng(picture: Picture, compressionLevel: number): Promise<EncodedPng> {
  if (picture.solid === undefined) {
    const file = await toSharp(picture).png({ compressionLevel }).toBuffer();
    return { head: file.subarray(0, HEAD_LENGTH), tail: file.subarray(HEAD_LENGTH) };
  }
  const { width, height, channels, solid } = picture;
  const row = Buffer.concat([
    Buffer.from([0]),
    Buffer.alloc(width * channels, Buffer.from(solid.map(toByte))),
  ]);
  const rows = Buffer.alloc(row.length * height, row);
  const packed =
    rows.length <= SMALL ? deflateSync(rows, { level: 1 }) : await deflateLater(rows, { level: 1 });
  return {
    head: pngHead(width, height, channels),
    tail: Buffer.concat([chunk('IDAT', packed), chunk('IEND', Buffer.alloc(0))]),
  };
}

/** ComfyUI writes the prompt, and what `extra_pnginfo` holds, into tEXt chunks of what it saves. */
export function withMetadata(png: EncodedPng, metadata: JsonObject): Buffer {
  const texts = Object.entries(metadata).map(([name, value]) =>
    chunk('tEXt', Buffer.from(`${name}\0${dumps(value)}`, 'latin1')),
  );
  return Buffer.concat([png.head, ...texts, png.tail]);
}

export function plain(png: EncodedPng): Buffer {
  return Buffer.concat([png.head, png.tail]);
}
