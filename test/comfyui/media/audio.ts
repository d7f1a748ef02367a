/** Silence as the audio nodes save it: what matters of it is that players take it. */
export interface Silence {
  readonly seconds: number;
  readonly sampleRate: number;
  readonly channels: number;
}

const FLAC_BLOCK = 4096;
/** Samples of a frame of MPEG-1 Layer III, and its bytes at 128 kbit/s and 44.1 kHz. */
const MP3_SAMPLES = 1152;
const MP3_FRAME = 417;

/** A FLAC file of 16 bits a sample, a constant subframe for each channel. Format: RFC 9639. */
export function flacOf({ seconds, sampleRate, channels }: Silence): Buffer {
  const samples = Math.round(seconds * sampleRate);
  const info = Buffer.alloc(42);
  info.write('fLaC', 0, 'latin1');
  info.writeUInt32BE(0x80000022, 4);
  info.writeUInt16BE(FLAC_BLOCK, 8);
  info.writeUInt16BE(FLAC_BLOCK, 10);
  const rate = BigInt(sampleRate) << 44n;
  info.writeBigUInt64BE(rate | (BigInt(channels - 1) << 41n) | (15n << 36n) | BigInt(samples), 18);
  const frames: Buffer[] = [info];
  for (let at = 0, index = 0; at < samples; at += FLAC_BLOCK, index++) {
    frames.push(flacFrame(index, Math.min(FLAC_BLOCK, samples - at), channels));
  }
  return Buffer.concat(frames);
}

function flacFrame(index: number, samples: number, channels: number): Buffer {
  // Fixed block size; its length in 16 bits behind the number; the rate and the sample size of the stream.
  const fixed = [0xff, 0xf8, 0x70, (channels - 1) << 4];
  const number = Buffer.from(String.fromCodePoint(index));
  const head = Buffer.concat([
    Buffer.from(fixed),
    number,
    Buffer.from([(samples - 1) >> 8, (samples - 1) & 255]),
  ]);
  const body = Buffer.concat([head, Buffer.from([crc(head, 8, 0x07)]), Buffer.alloc(3 * channels)]);
  const check = Buffer.alloc(2);
  check.writeUInt16BE(crc(body, 16, 0x8005));
  return Buffer.concat([body, check]);
}

function crc(bytes: Buffer, width: 8 | 16, polynomial: number): number {
  const top = 1 << (width - 1);
  const mask = (1 << width) - 1;
  let value = 0;
  for (const byte of bytes) {
    value ^= byte << (width - 8);
    for (let bit = 0; bit < 8; bit++)
      value = value & top ? ((value << 1) ^ polynomial) & mask : (value << 1) & mask;
  }
  return value;
}

/** An MP3 file: frames of MPEG-1 Layer III at 44.1 kHz whose side information is zero decode as silence. */
export function mp3Of({ seconds, sampleRate }: Silence): Buffer {
  const frame = Buffer.alloc(MP3_FRAME);
  frame.writeUInt32BE(0xfffb9064, 0);
  const count = Math.max(1, Math.ceil((seconds * sampleRate) / MP3_SAMPLES));
  return Buffer.concat(Array.from({ length: count }, () => frame));
}
