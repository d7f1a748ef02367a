import type { ByteReader } from './byte-reader.js';
import type { Layout } from './layout.js';

const EXTENSION = 0x21;
const IMAGE = 0x2c;
const TRAILER = 0x3b;

/**
 * Walks through the blocks of a GIF (GIF89a, appendix A): the decoder here leaves out frames that are cut off, without a word.
 * @returns undefined where it is no GIF behind its header, or is cut off before its first frame
 */
export async function readGifLayout(reader: ByteReader): Promise<Layout | undefined> {
  const head = await reader.read(13);
  if (head === undefined) return undefined;
  const layout = { width: head.readUInt16LE(6), height: head.readUInt16LE(8), frames: 0 };
  if (!reader.skip(colourTableLength(head[10]))) return undefined;
  for (;;) {
    switch ((await reader.read(1))?.[0]) {
      case EXTENSION:
        if (!reader.skip(1) || !(await skipSubBlocks(reader))) return cutOff(layout);
        break;
      case IMAGE: {
        const descriptor = await reader.read(9);
        // One byte more: the code size of the pixels.
        if (descriptor === undefined || !reader.skip(colourTableLength(descriptor[8]) + 1))
          return cutOff(layout);
        layout.frames += 1;
        // A frame may be larger than the screen it is shown on.
        layout.width = Math.max(layout.width, descriptor.readUInt16LE(0) + descriptor.readUInt16LE(4));
        layout.height = Math.max(layout.height, descriptor.readUInt16LE(2) + descriptor.readUInt16LE(6));
        if (!(await skipSubBlocks(reader))) return cutOff(layout);
        break;
      }
      case TRAILER:
        return layout.frames === 0 ? undefined : layout;
      case undefined:
        return cutOff(layout);
      case 0:
        // Padding that some encoders leave between blocks.
        break;
      default:
        return undefined;
    }
  }
}

function cutOff(layout: Layout): Layout | undefined {
  return layout.frames === 0 ? undefined : { ...layout, truncated: true };
}

/** Bytes of the table that follows a packed field. */
function colourTableLength(packed = 0): number {
  return (packed & 0x80) === 0 ? 0 : 3 * 2 ** ((packed & 7) + 1);
}

async function skipSubBlocks(reader: ByteReader): Promise<boolean> {
  for (;;) {
    const length = (await reader.read(1))?.[0];
    if (length === undefined) return false;
    if (length === 0) return true;
    if (!reader.skip(length)) return false;
  }
}
