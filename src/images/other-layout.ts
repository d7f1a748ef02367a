import { open } from 'node:fs/promises';
import type { Layout } from './layout.js';

/** An image that is not decoded here, as its header says, and whether the file ends before its pixels do, where that can be told. */
export interface OtherLayout extends Layout {
  truncated: boolean;
  /** A PGM. */
  grey?: boolean;
}

/** Bytes at the start in which all headers are, comments of a PNM and boxes of a JPEG 2000 included. */
const HEAD = 64 * 1024;

/**
 * Reads the size of an image of a kind that ComfyUI (Pillow) takes and sharp does not: BMP, TGA, ICO and CUR, JPEG 2000, the PNM family,
 * PCX, PSD, QOI, SGI, DDS. Nothing is decoded.
 * @returns undefined for anything else
 */
export async function readOtherLayout(path: string): Promise<OtherLayout | undefined> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD), 0, HEAD, 0);
    const head = buffer.subarray(0, bytesRead);
    const tail = await file.read(Buffer.alloc(2), 0, 2, Math.max(0, size - 2));
    for (const read of [bmp, ico, jpeg2000, pnm, psd, qoi, dds, sgi, pcx, tga]) {
      const layout = read(head, size, tail.buffer);
      if (layout !== undefined) return layout;
    }
    return undefined;
  } catch (error) {
    // A header that ends too soon.
    if (error instanceof RangeError) return undefined;
    throw error;
  } finally {
    await file.close();
  }
}

type Reader = (head: Buffer, size: number, tail: Buffer) => OtherLayout | undefined;

function layoutOf(width: number, height: number, truncated = false, frames = 1): OtherLayout | undefined {
  return width > 0 && height > 0 ? { width, height, frames, truncated } : undefined;
}

/** `BITMAPFILEHEADER`, and a `BITMAPCOREHEADER` or one of its successors. */
const bmp: Reader = (head, size) => {
  if (head.toString('latin1', 0, 2) !== 'BM' || head.length < 26) return undefined;
  const offset = head.readUInt32LE(10);
  const core = head.readUInt32LE(14) === 12;
  const width = core ? head.readUInt16LE(18) : Math.abs(head.readInt32LE(18));
  const height = core ? head.readUInt16LE(20) : Math.abs(head.readInt32LE(22));
  const bits = head.readUInt16LE(core ? 24 : 28);
  const plain = core || [0, 3].includes(head.readUInt32LE(30));
  const pixels = Math.ceil((width * bits) / 32) * 4 * height;
  return layoutOf(width, height, plain && offset + pixels > size);
};

/** A directory of pictures, each a PNG or a BMP; a PNG may be larger than its entry can say. */
const ico: Reader = (head, size) => {
  const type = head.length < 22 ? 0 : head.readUInt16LE(2);
  const count = head.length < 22 ? 0 : head.readUInt16LE(4);
  if (head.readUInt16LE(0) !== 0 || (type !== 1 && type !== 2) || count === 0 || count > 256)
    return undefined;
  let [width, height, truncated] = [0, 0, false];
  for (let at = 6; at < 6 + count * 16 && at + 16 <= head.length; at += 16) {
    const [length, offset] = [head.readUInt32LE(at + 8), head.readUInt32LE(at + 12)];
    if (length === 0 || offset < 6 + count * 16) return undefined;
    width = Math.max(width, head[at] || 256);
    height = Math.max(height, head[at + 1] || 256);
    if (head.toString('latin1', offset + 1, offset + 4) === 'PNG' && offset + 24 <= head.length) {
      width = Math.max(width, head.readUInt32BE(offset + 16));
      height = Math.max(height, head.readUInt32BE(offset + 20));
    }
    truncated ||= offset + length > size;
  }
  return layoutOf(width, height, truncated);
};

/** A codestream (ITU-T T.800, A.5.1: the marker SIZ), alone or in boxes; it ends with the marker EOC. */
const jpeg2000: Reader = (head, _size, tail) => {
  const boxed = head.toString('latin1', 4, 8) === 'jP  ';
  const bare = head.readUInt32BE(0) === 0xff4f_ff51;
  const at = bare ? 0 : boxed ? head.indexOf(Buffer.from('ff4fff51', 'hex')) : -1;
  if (at < 0) return undefined;
  const [width, height] = [8, 12].map(
    (offset) => head.readUInt32BE(at + offset) - head.readUInt32BE(at + offset + 8),
  );
  return layoutOf(width ?? 0, height ?? 0, tail.readUInt16BE(0) !== 0xffd9);
};

const PNM_HEADER = /^P([14])\s(?:\s|#[^\n]*\n)*(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})\s/;
const PNM_HEADER_WITH_MAXIMUM =
  /^P([2356fF])\s(?:\s|#[^\n]*\n)*(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})(?:\s|#[^\n]*\n)+[-+.\d]{1,20}\s/;

/** P1 to P6, and Pf and PF with floating-point samples: numbers in text, with comments between them. */
const pnm: Reader = (head, size) => {
  const text = head.toString('latin1', 0, 8_192);
  const match = /^P[14]\s/.test(text) ? PNM_HEADER.exec(text) : PNM_HEADER_WITH_MAXIMUM.exec(text);
  if (match === null) return undefined;
  const [header, kind, width, height] = [match[0], match[1], Number(match[2]), Number(match[3])];
  const least: Record<string, number> = {
    '4': Math.ceil(width / 8) * height,
    '5': width * height,
    '6': 3 * width * height,
    f: 4 * width * height,
    F: 12 * width * height,
  };
  const layout = layoutOf(width, height, header.length + (least[kind ?? ''] ?? 0) > size);
  return layout === undefined || kind !== '5' ? layout : { ...layout, grey: true };
};

const psd: Reader = (head) =>
  head.toString('latin1', 0, 4) === '8BPS'
    ? layoutOf(head.readUInt32BE(18), head.readUInt32BE(14))
    : undefined;

const qoi: Reader = (head) =>
  head.toString('latin1', 0, 4) === 'qoif' ? layoutOf(head.readUInt32BE(4), head.readUInt32BE(8)) : undefined;

const dds: Reader = (head) =>
  head.toString('latin1', 0, 4) === 'DDS '
    ? layoutOf(head.readUInt32LE(16), head.readUInt32LE(12))
    : undefined;

const sgi: Reader = (head) =>
  head.readUInt16BE(0) === 474 ? layoutOf(head.readUInt16BE(6), head.readUInt16BE(8)) : undefined;

const pcx: Reader = (head) =>
  head[0] === 10 && (head[1] ?? 9) <= 5 && head[2] === 1 && head.length >= 128
    ? layoutOf(
        head.readUInt16LE(8) - head.readUInt16LE(4) + 1,
        head.readUInt16LE(10) - head.readUInt16LE(6) + 1,
      )
    : undefined;

/** No magic number: the fields have to make sense together. */
const tga: Reader = (head, size) => {
  if (head.length < 18) return undefined;
  const [map, type, bits, flags] = [head[1] ?? 9, head[2] ?? 0, head[16] ?? 0, head[17] ?? 255];
  const known = map <= 1 && [1, 2, 3, 9, 10, 11].includes(type) && [8, 15, 16, 24, 32].includes(bits);
  const mapped = type === 1 || type === 9;
  if (!known || mapped !== (map === 1) || (flags & 0xc0) !== 0) return undefined;
  if (map === 0 && head.readUIntLE(3, 5) !== 0) return undefined;
  const [width, height] = [head.readUInt16LE(12), head.readUInt16LE(14)];
  const palette = Math.ceil((head.readUInt16LE(5) * (head[7] ?? 0)) / 8);
  const start = 18 + (head[0] ?? 0) + palette;
  return layoutOf(width, height, type < 8 && start + width * height * Math.ceil(bits / 8) > size);
};
