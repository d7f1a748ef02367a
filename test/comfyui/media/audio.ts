/** A FLAC file without frames: the marker and its STREAMINFO (RFC 9639). */
export function emptyFlac(sampleRate: number, channels: number): Buffer {
  const info = Buffer.alloc(34);
  info.writeUInt16BE(4096, 0);
  info.writeUInt16BE(4096, 2);
  // 20 bits of sample rate, 3 of channels − 1, 5 of bits per sample − 1.
  info.writeUInt32BE(((sampleRate << 12) | ((channels - 1) << 9) | (15 << 4)) >>> 0, 10);
  return Buffer.concat([Buffer.from('fLaC'), Buffer.from([0x80, 0, 0, info.length]), info]);
}

/** An MP3 file of one silent frame (MPEG 1, layer III, 128 kbit/s, 44.1 kHz) behind an empty ID3v2 tag. */
export function silentMp3(): Buffer {
  const tag = Buffer.from('ID3\u0004\0\0\0\0\0\0', 'latin1');
  const frame = Buffer.alloc(417);
  frame.writeUInt32BE(0xff_fb_90_00, 0);
  return Buffer.concat([tag, frame]);
}
