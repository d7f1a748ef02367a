import type { ByteReader } from './byte-reader.js';
import type { Layout } from './layout.js';

const SIGNATURE_LENGTH = 8;

/** More pieces than any encoder makes of a file; a reader would spend its time on them. */
const MAX_CHUNKS = 1_000_000;

/**
 * Walks through the chunks of a PNG (W3C PNG, third edition, 5.3): decoders here forgive one that is cut off, and overlook its
 * other frames, which ComfyUI's do not.
 * @returns undefined where it has no header, or an animation is cut off, of which decoders make nothing
 */
export async function readPngLayout(reader: ByteReader): Promise<Layout | undefined> {
  if (!reader.skip(SIGNATURE_LENGTH)) return undefined;
  const layout = { width: 0, height: 0, frames: 1 };
  let controls = 0;
  for (let chunks = 0; chunks < MAX_CHUNKS; chunks += 1) {
    const head = await reader.read(8);
    if (head === undefined) return cutOff(layout);
    const length = head.readUInt32BE(0);
    const type = head.toString('latin1', 4, 8);
    let left = length + 4;
    if ((type === 'IHDR' || type === 'acTL') && length >= 8) {
      const data = await reader.read(8);
      if (data === undefined) return cutOff(layout);
      left -= 8;
      if (type === 'IHDR') {
        layout.width = data.readUInt32BE(0);
        layout.height = data.readUInt32BE(4);
      } else layout.frames = Math.max(layout.frames, data.readUInt32BE(0));
    }
    if (type === 'fcTL') layout.frames = Math.max(layout.frames, (controls += 1));
    if (!reader.skip(left)) return cutOff(layout);
    if (type === 'IEND') return layout;
  }
  return undefined;
}

function cutOff(layout: Layout): Layout | undefined {
  return layout.width > 0 && layout.frames === 1 ? { ...layout, truncated: true } : undefined;
}
