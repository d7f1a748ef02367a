import { putLoad } from '../load.js';
import { megabytes, ms, type Report } from '../report/report.js';
import { median } from '../statistics.js';
import { largeFile, tinyPicture } from '../workflows.js';
import type { Scenario, ScenarioOptions } from './scenario.js';
import { onStage } from './stage.js';

const BYTES = 8 * 1024 * 1024;
const CALLERS = 20;
const TARGET_MB = 250;

/** Large files pass through; they must not pile up. */
export const largeFiles: Scenario = {
  name: 'large',
  real: false,
  run: async (options) => [await measure(options)],
};

function measure({ quick, note }: ScenarioOptions): Promise<Report> {
  // More than the usual two slots, so that many files are on their way at the same time.
  return onStage({ env: { COMFYUI_SLOTS: '20' } }, async ({ caller, service }) => {
    const client = caller('file', CALLERS);
    await putLoad(client, { callers: 1, maxCalls: 20, maxMs: 10_000, workflow: tinyPicture });
    const before = (await service.memory())?.now;
    note(`large: ${CALLERS} callers`);
    const { latencies, elapsedMs } = await putLoad(client, {
      callers: CALLERS,
      maxCalls: quick ? 60 : 200,
      maxMs: 60_000,
      workflow: () => largeFile(BYTES),
    });
    const peak = (await service.memory())?.peak;
    const perSecond = (latencies.length * BYTES) / 1e6 / (elapsedMs / 1_000);
    return {
      scenario: 'large',
      title: `Files of 8 MiB, ${CALLERS} callers`,
      explanation: `${latencies.length} files through POST /api/generate_file: from ComfyUI to the disk, and from there to the caller.`,
      table: [
        ['', 'memory before', 'peak', 'bytes', 'median'],
        [
          'service, file',
          megabytes(before),
          megabytes(peak),
          `${perSecond.toFixed(0)} MB/s`,
          ms(median(latencies)),
        ],
      ],
      targets: [
        {
          what: 'peak memory',
          measured: megabytes(peak),
          wanted: `below ${megabytes(TARGET_MB)}`,
          met: (peak ?? NaN) < TARGET_MB,
        },
      ],
      figures: { beforeMb: before, peakMb: peak, megabytesPerSecond: perSecond, medianMs: median(latencies) },
    };
  });
}
