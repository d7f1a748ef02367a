import { megabytes, ms, type Report, type Target } from '../report/report.js';
import { median, quantile } from '../statistics.js';
import type { Ending } from './mix.js';
import type { Sample } from './watcher.js';

/** Growth of memory between the first and the last quarter that counts as none: this part, and that many MB. */
const RSS_PART = 0.1;
const RSS_MB = 10;
/** File descriptors more or fewer, both times after a while without load. */
const FDS = 5;
/** The live probe's 99th percentile in the last quarter: this much of the first, and that many ms. */
const P99_TIMES = 2;
const P99_MS = 5;

/** A whole soak. */
export interface Soak {
  minutes: number;
  /** File descriptors without load, before and after. */
  idleFds: [before: number, after: number];
  samples: readonly Sample[];
}

export function judge({ minutes, idleFds, samples }: Soak): Report {
  const seconds = minutes * 60;
  const first = figuresOf(samples.filter(({ at }) => at <= seconds / 4));
  const last = figuresOf(samples.filter(({ at }) => at > (seconds * 3) / 4));
  const rows = Array.from({ length: Math.ceil(minutes) }, (_, minute) =>
    figuresOf(samples.filter(({ at }) => at > minute * 60 && at <= (minute + 1) * 60)),
  );
  const unexpected = samples.reduce((sum, { calls }) => sum + calls.unexpected, 0);
  const [before, after] = idleFds;
  const rssLimit = first.rssMb * (1 + RSS_PART) + RSS_MB;
  const p99Limit = first.p99Ms * P99_TIMES + P99_MS;
  const targets: Target[] = [
    {
      what: `memory, last quarter against ${megabytes(first.rssMb)} in the first`,
      measured: megabytes(last.rssMb),
      wanted: `at most ${megabytes(rssLimit)}`,
      met: last.rssMb <= rssLimit,
    },
    {
      what: `file descriptors without load, against ${before} before it`,
      measured: String(after),
      wanted: `${before} ± ${FDS}`,
      met: Math.abs(after - before) <= FDS,
    },
    {
      what: `live probe, 99th percentile of the last quarter against ${ms(first.p99Ms)} in the first`,
      measured: ms(last.p99Ms),
      wanted: `at most ${ms(p99Limit)}`,
      met: last.p99Ms <= p99Limit,
    },
    {
      what: 'calls that did not end as they were to',
      measured: String(unexpected),
      wanted: '0',
      met: unexpected === 0,
    },
  ];
  return {
    scenario: 'soak',
    title: `Soak: ${minutes} minutes of mixed load`,
    explanation:
      'Memory is the median of the minute, handles are the most; "live" is what GET /health/live took, twenty times a second.',
    table: [
      [
        'minute',
        'answered',
        'hung up',
        'refused',
        'unexpected',
        'memory',
        'fds',
        'sockets',
        'threads',
        'live p50',
        'p99',
        'max',
      ],
      ...rows.map((row, index) => [
        String(index + 1),
        ...ENDINGS.map((ending) => String(row.calls[ending])),
        megabytes(row.rssMb),
        String(row.fds),
        String(row.sockets),
        String(row.threads),
        ms(row.p50Ms),
        ms(row.p99Ms),
        ms(row.maxMs),
      ]),
    ],
    targets,
    figures: { minutes, idleFds, first, last, rows },
  };
}

const ENDINGS = ['answered', 'hung up', 'refused', 'unexpected'] as const satisfies readonly (
  Ending | 'unexpected'
)[];

function figuresOf(samples: readonly Sample[]) {
  const probes = samples.flatMap((sample) => sample.probes);
  const most = (values: readonly number[]) => Math.max(...values);
  const calls = (ending: (typeof ENDINGS)[number]) =>
    samples.reduce((sum, sample) => sum + sample.calls[ending], 0);
  return {
    calls: {
      answered: calls('answered'),
      'hung up': calls('hung up'),
      refused: calls('refused'),
      unexpected: calls('unexpected'),
    },
    rssMb: median(samples.map(({ rssMb }) => rssMb)),
    fds: most(samples.map(({ fds }) => fds)),
    sockets: most(samples.map(({ sockets }) => sockets)),
    threads: most(samples.map(({ threads }) => threads)),
    p50Ms: median(probes),
    p99Ms: quantile(probes, 0.99),
    maxMs: quantile(probes, 1),
  };
}
