import { parseArgs } from 'node:util';

export const HELP = `Puts the service under a mixed load for long, and looks at it from outside: does it stay as it was?

  npm run bench:soak
  npm run bench:soak -- --minutes 60

  --minutes 20   how long, without the warm-up before it (half of it, a minute at most)
  --json         the figures as JSON, on stdout alone

Ends with 1 where something grew. Linux only.
`;

export interface SoakOptions {
  minutes: number;
  json: boolean;
  help: boolean;
}

/** @throws Error saying which flag is wrong */
export function readOptions(args: string[]): SoakOptions {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string', default: '20' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const minutes = Number(values.minutes);
  if (!(minutes >= 0.5 && minutes <= 1_440)) throw new Error('--minutes is a number from 0.5 to 1440');
  return { minutes, json: values.json, help: values.help };
}
