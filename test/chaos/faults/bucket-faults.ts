import { type BucketFault, lasting } from './fault.js';

/** There is one bucket for all: while it is in trouble, nothing else is. Milliseconds. */
const LONGEST_MS = 12_000;

/** What happens between the service and its bucket. Uploads only, where the bucket itself fails: callers fetch from it too. */
export const BUCKET_FAULTS: readonly BucketFault[] = [
  {
    name: 'bucket answers 503',
    async run({ server }, { dice }) {
      const fault = { kind: 'error', status: 503, code: 'ServiceUnavailable' } as const;
      server.faults.add(fault, { times: dice.between(1, 6), method: 'PUT' });
    },
  },
  {
    name: 'bucket hangs',
    async run({ server, proxy }, context) {
      server.faults.add({ kind: 'hang' }, { times: context.dice.between(1, 2), method: 'PUT' });
      await context.pause(lasting(context, LONGEST_MS));
      server.faults.clear();
      // A minute is how long the service would wait.
      if (context.quick) proxy.cut();
    },
  },
  {
    name: 'bucket resets',
    async run({ server }, { dice }) {
      const fault = { kind: 'reset', afterBytes: dice.between(0, 2_000) } as const;
      server.faults.add(fault, { times: dice.between(1, 4), method: 'PUT' });
    },
  },
  {
    name: 'bucket stores and loses its answer',
    async run({ server }, { dice }) {
      server.faults.add({ kind: 'lose-answer' }, { times: dice.between(1, 3), method: 'PUT' });
    },
  },
  {
    name: 'bucket refuses',
    async run({ proxy }, context) {
      proxy.refuse();
      proxy.cut();
      await context.pause(lasting(context, LONGEST_MS));
      await proxy.heal();
    },
  },
  {
    name: 'bucket is a black hole',
    async run({ proxy }, context) {
      proxy.swallow();
      proxy.blackHole();
      await context.pause(lasting(context, LONGEST_MS));
      await proxy.heal();
    },
  },
  {
    name: 'bucket is slow',
    async run({ proxy }, context) {
      proxy.disturb({ latencyMs: 100, jitterMs: 300, bytesPerSecond: 200_000 });
      await context.pause(lasting(context, LONGEST_MS));
      await proxy.heal();
    },
  },
];
