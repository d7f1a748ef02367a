import type { ConnectionLimits } from '../config/index.js';

export type { ConnectionLimits };

const MIB = 1024 * 1024;

/** @param maxBodyBytes of one body */
export function connectionLimits(maxBodyBytes: number): ConnectionLimits {
  return {
    bodyIdleMs: 30_000,
    leastBytes: 1_024,
    slowBodies: 32,
    slowAfterMs: 3_000,
    readIdleMs: 60_000,
    readLeastBytes: 64 * 1024,
    lingerMs: 5_000,
    lookEveryMs: 1_000,
    addressBytes: Math.max(64 * MIB, 2 * maxBodyBytes),
    totalBytes: Math.max(256 * MIB, 4 * maxBodyBytes),
    smallBytes: 256 * 1024,
  };
}
