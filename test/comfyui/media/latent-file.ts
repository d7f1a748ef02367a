import { dumps } from '../python.js';
import type { Graph } from '../types.js';

/** A safetensors file as SaveLatent writes it (14d: 1440 bytes for 64×64): header length, header padded to 8, zeros. */
export function latentFile(graph: Graph, shape: readonly number[]): Buffer {
  const bytes = shape.reduce((product, side) => product * side, 4);
  const header = JSON.stringify({
    __metadata__: { prompt: dumps(graph) },
    latent_format_version_0: { dtype: 'F32', shape: [0], data_offsets: [0, 0] },
    latent_tensor: { dtype: 'F32', shape, data_offsets: [0, bytes] },
  });
  const length = Math.ceil(Buffer.byteLength(header) / 8) * 8;
  const out = Buffer.alloc(8 + length + bytes);
  out.writeBigUInt64LE(BigInt(length), 0);
  out.fill(0x20, 8, 8 + length);
  out.write(header, 8);
  return out;
}
