import sharp from 'sharp';
import { putLoad, takeTurns } from '../load.js';
import { ms, type Report, times } from '../report/report.js';
import { median } from '../statistics.js';
import { savedPicture } from '../workflows.js';
import type { Scenario, ScenarioOptions } from './scenario.js';
import { onStage, type Stage } from './stage.js';

interface Case {
  side: number;
  count: number;
}

const CASES: readonly Case[] = [
  { side: 512, count: 1 },
  { side: 1024, count: 1 },
  { side: 2048, count: 1 },
  { side: 1024, count: 4 },
];

/** Pictures as files that ComfyUI saves, and over its socket: SaveImage at level 4, SaveImageWebsocket at level 1 and without the disk. */
export const socketOutputs: Scenario = {
  name: 'socket',
  real: true,
  run: async (options) => [await measure(options)],
};

function measure({ rounds, quick, comfyui, note }: ScenarioOptions): Promise<Report> {
  // It has to encode every picture anew: that is what is compared.
  return onStage({ comfyui, standin: { zeroWork: false } }, async (stage) => {
    const clients = [stage.caller('url', 1, 'files'), stage.caller('url', 1, 'socket')] as const;
    const figures = [];
    for (const { side, count } of CASES) {
      const name = `${side}²${count === 1 ? '' : `, batch of ${count}`}`;
      note(`socket: ${name}`);
      const image = await upload(stage, side);
      const workflow = () => savedPicture(image, count);
      const load = { callers: 1, maxMs: 60_000, workflow };
      for (const client of clients) await putLoad(client, { ...load, maxCalls: 2 });
      const measured = await takeTurns(clients, rounds, { ...load, maxCalls: quick ? 3 : 6 });
      const medians = measured.map((results) => results.map(({ latencies }) => median(latencies)));
      const [files = [], socket = []] = medians;
      figures.push({
        name,
        filesMs: median(files),
        socketMs: median(socket),
        // Round by round, because the machine is not the same a minute later.
        ratio: median(socket.map((value, round) => value / (files[round] ?? NaN))),
        filesBytes: await bytesOf(stage, workflow(), 'files'),
        socketBytes: await bytesOf(stage, workflow(), 'socket'),
      });
    }
    return {
      scenario: 'socket',
      title: 'Pictures as files and over the socket, one caller',
      explanation:
        'A picture with noise in it, out of ComfyUI\'s cache: encoded, handed out, stored here. "ratio" is the socket\'s part of the time by files, the median of all rounds.',
      table: [
        ['', 'files', 'socket', 'ratio', 'bytes, files', 'bytes, socket'],
        ...figures.map(({ name, filesMs, socketMs, ratio, filesBytes, socketBytes }) => [
          name,
          ms(filesMs),
          ms(socketMs),
          times(ratio),
          kilobytes(filesBytes),
          kilobytes(socketBytes),
        ]),
      ],
      targets: [],
      figures: { cases: figures },
    };
  });
}

/** Puts a picture as a camera makes it into ComfyUI's input folder: soft shapes, and some noise. @returns its name there */
async function upload({ comfyui }: Stage, side: number): Promise<string> {
  const base = { width: side, height: side, channels: 3 as const };
  const layer = (sigma: number) =>
    sharp({ create: { ...base, background: 'black', noise: { type: 'gaussian', mean: 128, sigma } } });
  const soft = await layer(120)
    .blur(side / 16)
    .png()
    .toBuffer();
  const grain = await layer(6).png().toBuffer();
  const bytes = await sharp(soft)
    .normalise()
    .composite([{ input: grain, blend: 'soft-light' }])
    .png()
    .toBuffer();
  const form = new FormData();
  form.set('image', new File([new Uint8Array(bytes)], `comfy-sync-bench-${side}.png`));
  form.set('overwrite', 'true');
  const answer = await fetch(`${comfyui.url}/upload/image`, { method: 'POST', body: form });
  if (!answer.ok) throw new Error(`POST /upload/image: ${answer.status}`);
  return ((await answer.json()) as { name: string }).name;
}

async function bytesOf({ service }: Stage, workflow: unknown, outputsVia: string): Promise<number> {
  const answer = await fetch(`${service.url}/api/generate`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ workflow_data: workflow, outputs_via: outputsVia }),
  });
  const { outputs } = (await answer.json()) as { outputs: { size: number }[] };
  return outputs.reduce((sum, { size }) => sum + size, 0);
}

const kilobytes = (bytes: number) => `${Math.round(bytes / 1_000)} kB`;
