import { putLoad } from '../load.js';
import { ms, rate, type Report, times } from '../report/report.js';
import { median } from '../statistics.js';
import { tinyPicture } from '../workflows.js';
import type { Scenario, ScenarioOptions } from './scenario.js';
import { onStage } from './stage.js';

const FILES = 100_000;
/** A real ComfyUI took 286 ms a prompt with 105,000 files in its output folder, and 5 ms with none. */
const COST_PER_FILE_US = ((286 - 5) * 1_000) / 105_000;

/** A ComfyUI that has served for months. */
export const agedFolder: Scenario = {
  name: 'aged',
  real: false,
  run: async (options) => [await measure(options)],
};

function measure({ quick, note }: ScenarioOptions): Promise<Report> {
  const standin = { agedFiles: FILES, listingCostPerFileUs: COST_PER_FILE_US, nodeDelayMs: 2 };
  return onStage({ standin }, async ({ bare, caller }) => {
    const single = [
      { client: await bare({ connections: 4, jobFolders: false }), calls: quick ? 5 : 20 },
      { client: caller('url', 16), calls: quick ? 50 : 200 },
    ];
    const figures = [];
    for (const { client, calls } of single) {
      note(`aged: ${client.name}`);
      const load = { maxMs: 20_000, workflow: tinyPicture };
      await putLoad(client, { ...load, callers: 1, maxCalls: 3 });
      const alone = await putLoad(client, { ...load, callers: 1, maxCalls: calls });
      const many = await putLoad(client, { ...load, callers: 16, maxCalls: calls * 2 });
      figures.push({
        name: client.name,
        medianMs: median(alone.latencies),
        perSecond: (many.latencies.length * 1_000) / many.elapsedMs,
      });
    }
    const [reference, service] = figures;
    return {
      scenario: 'aged',
      title: `An output folder with ${FILES.toLocaleString('en')} files`,
      explanation:
        "ComfyUI's save node lists its folder for every picture. The bare client saves under a fixed prefix, the service gives each job a folder.",
      table: [
        ['', 'one caller', 'ratio', '16 callers', 'ratio'],
        ...figures.map(({ name, medianMs, perSecond }, index) => [
          name,
          ms(medianMs),
          index === 0 ? '' : times((reference?.medianMs ?? NaN) / medianMs),
          rate(perSecond),
          index === 0 ? '' : times(perSecond / (reference?.perSecond ?? NaN)),
        ]),
      ],
      targets: [
        {
          what: 'faster than the bare client',
          measured: times((reference?.medianMs ?? NaN) / (service?.medianMs ?? NaN)),
          wanted: `at least ${times(10)}`,
          met: (reference?.medianMs ?? NaN) / (service?.medianMs ?? NaN) >= 10,
        },
      ],
      figures: { files: FILES, costPerFileUs: COST_PER_FILE_US, clients: figures },
    };
  });
}
