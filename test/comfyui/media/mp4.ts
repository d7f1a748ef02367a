/** A small MP4 of JPEG frames (sample entry `mp4v`, object type 0x6C): no encoder needed, yet players can show it. */
export function mp4OfJpegs(frames: readonly Buffer[], width: number, height: number, fps: number): Buffer {
  const scale = Math.round(fps * 1000);
  const length = frames.length * 1000;
  const ftyp = box('ftyp', text('isom'), u32(0x200), text('isomiso2mp41'));
  const mdat = box('mdat', ...frames);
  const identity = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000].map(u32);
  const mvhd = full(
    'mvhd',
    0,
    u32(0),
    u32(0),
    u32(scale),
    u32(length),
    u32(0x10000),
    u16(0x100),
    zeros(10),
    ...identity,
    zeros(24),
    u32(2),
  );
  const tkhd = full(
    'tkhd',
    3,
    u32(0),
    u32(0),
    u32(1),
    u32(0),
    u32(length),
    zeros(16),
    ...identity,
    u32(width << 16),
    u32(height << 16),
  );
  const mdhd = full('mdhd', 0, u32(0), u32(0), u32(scale), u32(length), u16(0x55c4), u16(0));
  const hdlr = full('hdlr', 0, u32(0), text('vide'), zeros(12), text('VideoHandler\0'));
  const dinf = box('dinf', full('dref', 0, u32(1), full('url ', 1)));
  const stbl = box(
    'stbl',
    full('stsd', 0, u32(1), sampleEntry(width, height)),
    full('stts', 0, u32(1), u32(frames.length), u32(1000)),
    full('stsc', 0, u32(1), u32(1), u32(frames.length), u32(1)),
    full('stsz', 0, u32(0), u32(frames.length), ...frames.map((frame) => u32(frame.length))),
    full('stco', 0, u32(1), u32(ftyp.length + 8)),
  );
  const minf = box('minf', full('vmhd', 1, zeros(8)), dinf, stbl);
  const moov = box('moov', mvhd, box('trak', tkhd, box('mdia', mdhd, hdlr, minf)));
  return Buffer.concat([ftyp, mdat, moov]);
}

function sampleEntry(width: number, height: number): Buffer {
  const decoder = descriptor(0x04, Buffer.from([0x6c, 0x11]), zeros(11));
  const esds = full(
    'esds',
    0,
    descriptor(0x03, u16(1), Buffer.from([0]), decoder, descriptor(0x06, Buffer.from([2]))),
  );
  return box(
    'mp4v',
    zeros(6),
    u16(1),
    zeros(16),
    u16(width),
    u16(height),
    u32(0x480000),
    u32(0x480000),
    zeros(4),
    u16(1),
    zeros(32),
    u16(24),
    u16(0xffff),
    esds,
  );
}

function box(type: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([u32(body.length + 8), text(type), body]);
}

function full(type: string, flags: number, ...parts: readonly Buffer[]): Buffer {
  return box(type, u32(flags), ...parts);
}

function descriptor(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, body.length]), body]);
}

function u16(value: number): Buffer {
  const out = Buffer.alloc(2);
  out.writeUInt16BE(value);
  return out;
}

function u32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value >>> 0);
  return out;
}

const text = (value: string) => Buffer.from(value, 'latin1');
const zeros = (count: number) => Buffer.alloc(count);
