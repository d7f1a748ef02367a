import { ComfyStandin, type StandinOptions } from '../../test/comfyui/index.js';

/** What our parent may ask, and with which number it wants the answer. */
export interface Question {
  id: number;
  ask: 'loads' | 'drop sockets';
}

/** Sent once, before everything else. */
export interface Started {
  urls: string[];
}

/** `loads` has one number for each stand-in: how many models it had to load so far. */
export interface Answer {
  id: number;
  loads: number[];
}

const options = JSON.parse(process.argv[2] ?? '[]') as StandinOptions[];
const standins = await Promise.all(options.map((each) => ComfyStandin.start(each)));
const end = () => void Promise.all(standins.map((each) => each.stop())).then(() => process.exit(0));
process.once('SIGTERM', end);
// Whoever started us is gone.
process.once('disconnect', end);
// Ctrl+C reaches the whole group; our parent ends us.
process.on('SIGINT', () => undefined);
process.on('message', ({ id, ask }: Question) => {
  if (ask === 'drop sockets') for (const { faults } of standins) faults.dropSockets();
  process.send?.({ id, loads: standins.map(({ modelLoads }) => modelLoads) } satisfies Answer);
});
process.send?.({ urls: standins.map(({ url }) => url) } satisfies Started);
