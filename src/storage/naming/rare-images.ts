/**
 * Extension of a picture of a kind that has a short signature or none, which file-type does not tell: the PNM family, QOI, SGI, DDS,
 * PCX, a bare JPEG 2000, TGA. To be asked where nothing else is known of the bytes.
 */
export function rareImageExtension(head: Uint8Array): string | undefined {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  const start = bytes.toString('latin1', 0, 64);
  const pnm = /^P([1-6fF])\s+(?:#[^\n]*\n\s*)*\d/.exec(start)?.[1];
  if (pnm !== undefined) return PNM[pnm];
  if (start.startsWith('qoif')) return 'qoi';
  if (start.startsWith('DDS ')) return 'dds';
  if (start.startsWith('\x01\xda')) return 'sgi';
  if (start.startsWith('\xff\x4f\xff\x51')) return 'j2c';
  if (isPcx(bytes)) return 'pcx';
  return isTga(bytes) ? 'tga' : undefined;
}

const PNM: Readonly<Record<string, string>> = {
  1: 'pbm',
  2: 'pgm',
  3: 'ppm',
  4: 'pbm',
  5: 'pgm',
  6: 'ppm',
  f: 'pfm',
  F: 'pfm',
};

/** TGA has no signature: the fields of its header have to make sense together. */
function isTga(bytes: Buffer): boolean {
  if (bytes.length < 18) return false;
  const [map, type, bits, flags] = [bytes[1] ?? 9, bytes[2] ?? 0, bytes[16] ?? 0, bytes[17] ?? 255];
  const known = map <= 1 && [1, 2, 3, 9, 10, 11].includes(type) && [8, 15, 16, 24, 32].includes(bits);
  if (!known || (type === 1 || type === 9) !== (map === 1) || (flags & 0xc0) !== 0) return false;
  if (map === 0 && bytes.readUIntLE(3, 5) !== 0) return false;
  return bytes.readUInt16LE(12) > 0 && bytes.readUInt16LE(14) > 0;
}

/** Its maker's number, a version, run-length encoding, and bits of a pixel. */
function isPcx([maker = 0, version = 9, encoding = 0, bits = 0]: Buffer): boolean {
  return maker === 10 && version <= 5 && version !== 1 && encoding === 1 && [1, 2, 4, 8].includes(bits);
}
