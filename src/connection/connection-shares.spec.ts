import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { ConnectionShares, maxConnections } from './connection-shares.js';

const connect = (remoteAddress: string) => {
  const socket = Object.assign(new EventEmitter(), {
    remoteAddress,
    destroyed: false,
    destroy: () => {
      socket.destroyed = true;
      socket.emit('close');
    },
  });
  return socket;
};

describe('ConnectionShares', () => {
  it('leave connections for other networks, and get them back', () => {
    const shares = new ConnectionShares(16, () => false);
    const admit = (socket: ReturnType<typeof connect>) => shares.admit(socket as unknown as Socket);
    const held = Array.from({ length: 20 }, () => connect('10.0.0.1'));
    expect(held.map((socket) => admit(socket)).filter(Boolean)).toHaveLength(14);
    expect(held.filter(({ destroyed }) => destroyed)).toHaveLength(6);
    expect(admit(connect('::ffff:10.0.0.1'))).toBe(false);
    expect(admit(connect('10.0.0.2'))).toBe(true);
    held[0]?.destroy();
    expect(admit(connect('10.0.0.1'))).toBe(true);
  });

  it('do not count those of a trusted reverse proxy', () => {
    const shares = new ConnectionShares(1, (address) => address === '10.0.0.9');
    for (let count = 0; count < 5; count += 1)
      expect(shares.admit(connect('10.0.0.9') as unknown as Socket)).toBe(true);
  });

  it.each([
    [1_024, 768],
    [1_048_576, 16_384],
  ])('of %i descriptors are %i', (descriptors, connections) => {
    expect(maxConnections(descriptors)).toBe(connections);
  });
});
