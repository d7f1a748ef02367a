import { putLoad, takeTurns } from '../load.js';
import { ms, type Report, signedMs, times } from '../report/report.js';
import { median, quantile } from '../statistics.js';
import { tinyPicture } from '../workflows.js';
import type { Scenario, ScenarioOptions } from './scenario.js';
import { onStage } from './stage.js';

const TARGET_MS = 1.5;

/** One caller at a time: what the service adds to a prompt. */
export const latency: Scenario = {
  name: 'latency',
  real: true,
  run: async (options) => [await measure(options)],
};

function measure({ rounds, quick, comfyui, note }: ScenarioOptions): Promise<Report> {
  return onStage({ comfyui }, async ({ bare, caller }) => {
    const clients = [
      await bare({ connections: 4, jobFolders: true }),
      caller('url', 1),
      caller('file', 1),
    ] as const;
    const load = { callers: 1, maxMs: 20_000, workflow: tinyPicture };
    note('latency: warming up');
    for (const client of clients) await putLoad(client, { ...load, maxCalls: quick ? 100 : 400 });
    note(`latency: ${rounds} rounds`);
    const measured = await takeTurns(clients, rounds, { ...load, maxCalls: quick ? 25 : 50 });
    const figures = clients.map(({ name }, index) => {
      const all = (measured[index] ?? []).flatMap(({ latencies }) => latencies);
      // Round by round, because the machine is not the same a minute later.
      const added = (measured[index] ?? []).map(
        ({ latencies }, round) => median(latencies) - median(measured[0]?.[round]?.latencies ?? []),
      );
      return {
        name,
        calls: all.length,
        medianMs: median(all),
        p95Ms: quantile(all, 0.95),
        addedMs: median(added),
      };
    });
    const [reference, url] = figures;
    return {
      scenario: 'latency',
      title: 'Latency, one caller',
      explanation:
        'A 64×64 picture, made, saved and fetched. "added" is the median of the differences to the bare client, round by round.',
      table: [
        ['', 'median', 'p95', 'added', 'ratio', 'calls'],
        ...figures.map(({ name, calls, medianMs, p95Ms, addedMs }, index) => [
          name,
          ms(medianMs),
          ms(p95Ms),
          index === 0 ? '' : signedMs(addedMs),
          index === 0 ? '' : times(medianMs / (reference?.medianMs ?? NaN)),
          String(calls),
        ]),
      ],
      targets: [
        {
          what: 'added at the median',
          measured: signedMs(url?.addedMs ?? NaN),
          wanted: `at most ${signedMs(TARGET_MS)}`,
          met: (url?.addedMs ?? NaN) <= TARGET_MS,
        },
      ],
      figures: { clients: figures },
    };
  });
}
