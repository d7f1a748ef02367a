import { parseArgs } from 'node:util';

export const HELP = `Lets everything go wrong around the service, and judges what its callers get.

  npm run test:chaos
  npm run test:chaos -- --quick
  npm run test:chaos -- --seed 7 --jobs 500

  --jobs 2000      calls to make; 200 with --quick
  --seed N         what happens, and when; a new one each time without it
  --backends 4     ComfyUI stand-ins, 2 to 8; every second one speaks as ComfyUI 0.3.11
  --callers 32     calls at the same time
  --durable        the service has a STATE_DIR, and callers whose connection breaks try again with the same
                   Idempotency-Key: then a kill costs nobody a job
  --quick          fewer calls and shorter faults, for CI
  --keep           keep the folder with the logs, also where all is well
`;

export interface ChaosOptions {
  jobs: number;
  seed: number;
  backends: number;
  callers: number;
  durable: boolean;
  quick: boolean;
  keep: boolean;
  help: boolean;
}

/** @throws Error saying which flag is wrong */
export function readOptions(args: string[]): ChaosOptions {
  const { values } = parseArgs({
    args,
    options: {
      jobs: { type: 'string' },
      seed: { type: 'string' },
      backends: { type: 'string', default: '4' },
      callers: { type: 'string', default: '32' },
      durable: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  return {
    jobs: whole('--jobs', values.jobs ?? (values.quick ? '200' : '2000'), 50, 20_000),
    seed: whole('--seed', values.seed ?? String(Math.floor(Math.random() * 1e6)), 0, 2 ** 32 - 1),
    backends: whole('--backends', values.backends, 2, 8),
    callers: whole('--callers', values.callers, 1, 500),
    durable: values.durable,
    quick: values.quick,
    keep: values.keep,
    help: values.help,
  };
}

function whole(flag: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value) || value < min || value > max)
    throw new Error(`${flag} is a whole number from ${min} to ${max}`);
  return value;
}
