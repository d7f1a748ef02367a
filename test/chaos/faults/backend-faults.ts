import { type BackendFault, lasting } from './fault.js';

/** The process and the line: what happens to any server. */
const OUTAGES: readonly BackendFault[] = [
  {
    name: 'crash',
    outage: true,
    async run({ standin, proxy }, context) {
      await standin.kill();
      proxy.refuse();
      proxy.cut();
      await context.pause(lasting(context));
      await standin.launch();
      await proxy.heal();
    },
  },
  {
    name: 'freeze',
    outage: true,
    async run({ standin }, context) {
      standin.freeze();
      await context.pause(lasting(context));
      standin.thaw();
    },
  },
  {
    name: 'refuse',
    outage: true,
    async run({ proxy }, context) {
      proxy.refuse();
      proxy.cut();
      await context.pause(lasting(context));
      await proxy.heal();
    },
  },
  {
    name: 'half-open',
    outage: true,
    async run({ proxy }, context) {
      proxy.swallow();
      await context.pause(lasting(context));
      await proxy.heal();
    },
  },
  {
    name: 'black hole',
    outage: true,
    async run({ proxy }, context) {
      proxy.swallow();
      proxy.blackHole();
      await context.pause(lasting(context));
      await proxy.heal();
    },
  },
];

const LINE_FAULTS: readonly BackendFault[] = [
  {
    name: 'cut',
    outage: false,
    async run({ proxy }, { dice, pause }) {
      for (let left = dice.between(1, 3); left > 0; left -= 1) {
        proxy.cut();
        await pause(dice.between(50, 500));
      }
    },
  },
  {
    name: 'cut one connection',
    outage: false,
    async run({ proxy }, { dice }) {
      if (proxy.links.length > 0) dice.pick(proxy.links).cut();
    },
  },
  {
    name: 'swallow one connection',
    outage: false,
    async run({ proxy }, context) {
      if (proxy.links.length > 0) context.dice.pick(proxy.links).swallow();
      await context.pause(lasting(context));
      await proxy.heal();
    },
  },
  {
    name: 'latency',
    outage: false,
    async run({ proxy }, context) {
      proxy.disturb({ latencyMs: context.dice.between(20, 400), jitterMs: context.dice.between(0, 400) });
      await context.pause(lasting(context));
      await proxy.heal();
    },
  },
  {
    name: 'drip',
    outage: false,
    async run({ proxy }, context) {
      proxy.disturb({ bytesPerSecond: context.dice.between(500, 50_000) });
      await context.pause(lasting(context));
      await proxy.heal();
    },
  },
];

const ROUTES = ['POST /prompt', 'GET /view', 'GET /history/{id}', 'GET /queue'] as const;

/** What only a ComfyUI does. */
const COMFYUI_FAULTS: readonly BackendFault[] = [
  {
    name: 'out of memory',
    outage: false,
    run: ({ standin }, { dice }) => standin.fault('oomNext', dice.between(1, 2)),
  },
  { name: 'forget all', outage: false, run: ({ standin }) => standin.fault('forgetAll') },
  {
    name: 'swallow prompt',
    outage: false,
    run: ({ standin }, { dice }) => standin.fault('swallowPrompt', dice.between(1, 2)),
  },
  { name: 'drop sockets', outage: false, run: ({ standin }) => standin.fault('dropSockets') },
  { name: 'close sockets', outage: false, run: ({ standin }) => standin.fault('closeSockets') },
  {
    name: 'mute sockets',
    outage: false,
    async run({ standin }, context) {
      await standin.fault('muteSockets');
      await context.pause(lasting(context));
      await standin.fault('unmuteSockets');
      // What was withheld is gone, and no connection loses frames and lives on.
      await standin.fault('dropSockets');
    },
  },
  {
    name: 'lose events',
    outage: false,
    run({ standin, legacy }, { dice }) {
      // An old server's pictures are told apart by `executing` alone: a socket that lost one would be another's picture.
      const types = ['executed', 'execution_start', 'execution_success', 'status', 'progress'];
      const type = dice.pick(legacy ? types : [...types, 'executing', 'progress_state']);
      return standin.fault('loseEvents', type, dice.between(1, 3));
    },
  },
  {
    name: 'late history',
    outage: false,
    run: ({ standin }, { dice }) =>
      standin.fault('lateHistory', dice.between(100, 3_000), dice.between(1, 3)),
  },
  {
    name: 'truncate view',
    outage: false,
    run: ({ standin }, { dice }) => standin.fault('truncateView', dice.between(0, 300), dice.between(1, 3)),
  },
  {
    name: 'slow view',
    outage: false,
    run: ({ standin }, { dice, quick }) =>
      standin.fault('slowView', dice.between(quick ? 200_000 : 30_000, 500_000), dice.between(1, 4)),
  },
  {
    name: 'fail route',
    outage: false,
    run({ standin }, { dice }) {
      const route = dice.pick(ROUTES);
      // 500 is what ComfyUI says to a workflow that it cannot read.
      const statuses = route === 'POST /prompt' ? [502, 503, 504] : [500, 502, 503, 504];
      return standin.fault('failNext', route, dice.pick(statuses), '', dice.between(1, 3));
    },
  },
  {
    name: 'reset route',
    outage: false,
    run: ({ standin }, { dice }) => standin.fault('resetNext', dice.pick(ROUTES), dice.between(1, 2)),
  },
  {
    name: 'hang route',
    outage: false,
    async run({ standin, proxy }, context) {
      await standin.fault('hangNext', context.dice.pick(ROUTES), 1);
      await context.pause(lasting(context));
      await standin.fault('clear');
      // Half a minute is how long the service would wait.
      if (context.quick) proxy.cut();
    },
  },
  {
    name: 'slow route',
    outage: false,
    async run({ standin }, context) {
      await standin.fault('delay', context.dice.pick(ROUTES), context.dice.between(200, 2_000));
      await context.pause(lasting(context));
      await standin.fault('clear');
    },
  },
];

export const BACKEND_FAULTS: readonly BackendFault[] = [...OUTAGES, ...LINE_FAULTS, ...COMFYUI_FAULTS];
