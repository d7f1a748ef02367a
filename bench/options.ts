import { parseArgs } from 'node:util';

export const HELP = `Measures the service side by side with the best client of ComfyUI that one can write by hand.

  npm run bench
  npm run bench -- --only latency,throughput

  --only a,b             of latency, throughput, large, waiting, aged, dispatch, watchers, socket
  --rounds 8             rounds of latency, throughput and socket
  --quick                fewer calls and 3 rounds, for a first look
  --comfyui http://…     a real ComfyUI instead of the stand-in, for latency, throughput and socket; leaves files in its folders
  --json                 the figures as JSON, on stdout alone
`;

export interface BenchOptions {
  only: string[] | undefined;
  rounds: number;
  quick: boolean;
  comfyui: string | undefined;
  json: boolean;
  help: boolean;
}

/** @throws Error saying which flag is wrong */
export function readOptions(args: string[]): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      comfyui: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const rounds = Number(values.rounds ?? (values.quick ? 3 : 8));
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) {
    throw new Error('--rounds is a whole number from 1 to 100');
  }
  if (values.comfyui !== undefined && !/^https?:\/\//.test(values.comfyui)) {
    throw new Error('--comfyui is a URL: http://host:8188');
  }
  const only = values.only?.split(',').map((name) => name.trim());
  return { only, rounds, quick: values.quick, comfyui: values.comfyui, json: values.json, help: values.help };
}
