import { putLoad, takeTurns } from '../load.js';
import { ms, rate, type Report, times } from '../report/report.js';
import { median, quantile } from '../statistics.js';
import { tinyPicture } from '../workflows.js';
import type { Scenario, ScenarioOptions } from './scenario.js';
import { onStage } from './stage.js';

interface Case {
  title: string;
  explanation: string;
  callers: number;
  nodeDelayMs: number;
  target?: number;
}

const ZERO_WORK =
  'Prompts that cost ComfyUI nothing: the worst case for anything in front of it, and the callers, the service and ComfyUI share the cores.';

const CASES: readonly Case[] = [
  {
    title: 'Throughput, 16 callers, no work',
    explanation: ZERO_WORK,
    callers: 16,
    nodeDelayMs: 0,
    target: 0.5,
  },
  { title: 'Throughput, 64 callers, no work', explanation: ZERO_WORK, callers: 64, nodeDelayMs: 0 },
  {
    title: 'Throughput, 16 callers, about 5 ms of work a prompt',
    explanation:
      'What a real ComfyUI needs at the very least: the service has to keep it busy without a gap.',
    callers: 16,
    // Timers of 2 ms last 2 to 3 ms, and there are two nodes.
    nodeDelayMs: 2,
    target: 0.97,
  },
];

/** Many callers: how busy the service keeps ComfyUI. */
export const throughput: Scenario = {
  name: 'throughput',
  real: true,
  async run(options) {
    // A real ComfyUI needs what it needs.
    const cases = CASES.filter(({ nodeDelayMs }) => options.comfyui === undefined || nodeDelayMs === 0);
    const reports: Report[] = [];
    for (const each of cases) reports.push(await measure(each, options));
    return reports;
  },
};

function measure({ title, explanation, callers, nodeDelayMs, target }: Case, options: ScenarioOptions) {
  const { rounds, quick, comfyui, note } = options;
  return onStage({ comfyui, standin: { nodeDelayMs } }, async ({ bare, caller }): Promise<Report> => {
    // As many connections for the bare client as it can use: it submits and fetches at the same time.
    const clients = [
      await bare({ connections: callers * 2, jobFolders: true }),
      caller('url', callers),
      caller('file', callers),
    ] as const;
    const load = { callers, maxCalls: 20_000, workflow: tinyPicture };
    note(`throughput: ${callers} callers, warming up`);
    for (const client of clients) await putLoad(client, { ...load, maxMs: quick ? 1_000 : 3_000 });
    note(`throughput: ${callers} callers, ${rounds} rounds`);
    const measured = await takeTurns(clients, rounds, { ...load, maxMs: quick ? 400 : 1_000 });
    const rates = measured.map((turns) =>
      turns.map(({ latencies, elapsedMs }) => (latencies.length * 1_000) / elapsedMs),
    );
    const figures = clients.map(({ name }, index) => {
      const latencies = (measured[index] ?? []).flatMap((turn) => turn.latencies);
      const ratios = (rates[index] ?? []).map((each, round) => each / (rates[0]?.[round] ?? NaN));
      return {
        name,
        calls: latencies.length,
        perSecond: median(rates[index] ?? []),
        ratio: median(ratios),
        medianMs: median(latencies),
        p95Ms: quantile(latencies, 0.95),
      };
    });
    const ratio = figures[1]?.ratio ?? NaN;
    return {
      scenario: 'throughput',
      title,
      explanation,
      table: [
        ['', 'prompts', 'ratio', 'median', 'p95', 'calls'],
        ...figures.map((each, index) => [
          each.name,
          rate(each.perSecond),
          index === 0 ? '' : times(each.ratio),
          ms(each.medianMs),
          ms(each.p95Ms),
          String(each.calls),
        ]),
      ],
      targets:
        target === undefined || comfyui !== undefined
          ? []
          : [
              {
                what: 'of the bare client',
                measured: times(ratio),
                wanted: `at least ${times(target)}`,
                met: ratio >= target,
              },
            ],
      figures: { callers, nodeDelayMs, clients: figures },
    };
  });
}
