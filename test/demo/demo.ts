import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { ComfyStandin } from '../comfyui/index.js';
import { aborted, whenAskedToStop } from '../processes/stop-signal.js';
import { loadBuiltService } from './built-service.js';
import { followJobs } from './follow-jobs.js';
import { findFreePort } from './free-port.js';
import { createProgressLine } from './progress-line.js';
import { curlCommands, describePicture } from './report.js';

const HELP = `Starts a ComfyUI stand-in and the service, runs a workflow both ways, and goes on serving.

  npm run demo             until Ctrl+C
  npm run demo -- --once   ends after the two calls
  PORT=8080 npm run demo   on another port than 3000
`;

const WORKFLOW = fileURLToPath(new URL('./workflow_api.json', import.meta.url));
const OUTPUT_NODE = 9;
const OUTPUT_DIR = 'output_images';
const CALL_LIMIT_MS = 60_000;

type Workflow = Record<string, { class_type: string; inputs: Record<string, unknown> }>;

const { values: flags } = parseArgs({
  options: { once: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
});
if (flags.help) console.log(HELP);
else await demo(flags.once);

async function demo(once: boolean): Promise<void> {
  const stop = whenAskedToStop();
  let app: NestExpressApplication | undefined;
  const comfy = await ComfyStandin.start({ stepDelayMs: 120, modelLoadMs: 600 });
  try {
    const { createApp, readSettings, ComfyService } = await loadBuiltService();
    const host = process.env['HOST'] ?? '127.0.0.1';
    const wanted = Number(process.env['PORT'] ?? 3000);
    const port = await findFreePort(wanted, host);
    const baseUrl = `http://127.0.0.1:${port}`;
    const settings = readSettings({
      COMFYUI_SERVER: comfy.url,
      ENABLE_OSS: 'false',
      OUTPUT_DIR,
      PORT: String(port),
      SERVER_BASE_URL: baseUrl,
      // For examples/progress/page.html, opened from the disk.
      CORS_ORIGINS: '*',
      LOG_LEVEL: 'warn',
    });
    app = await createApp(settings);
    await app.listen(port, host);

    console.log('\nComfy Sync Server: the demo\n');
    if (port !== wanted) console.log(`   Port ${wanted} is taken, so this is ${port}.`);
    console.log(`   service    ${baseUrl}`);
    console.log(`   ComfyUI    ${comfy.url} (a stand-in: it paints, and needs no GPU)\n`);

    const service = app.get(ComfyService);
    const call = async (path: string, seed: number) => {
      const line = createProgressLine();
      const stopFollowing = followJobs(service, line);
      const start = performance.now();
      try {
        const answer = await fetch(`${baseUrl}${path}`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ workflow_data: await readWorkflow(seed), output_node_id: OUTPUT_NODE }),
          signal: AbortSignal.any([AbortSignal.timeout(CALL_LIMIT_MS), stop]),
        });
        if (answer.status !== 200) {
          throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`);
        }
        line.done(`done in ${((performance.now() - start) / 1_000).toFixed(1)} s`);
        return answer;
      } catch (error) {
        line.stop();
        throw error;
      } finally {
        stopFollowing();
      }
    };
    const show = async (url: string, answer: Response) => {
      const { byteLength: bytes } = await answer.arrayBuffer();
      const contentType = answer.headers.get('content-type');
      console.log(await describePicture({ url, bytes, contentType }, OUTPUT_DIR));
    };

    console.log('1. POST /api/generate answers with the URL\n');
    const reply = (await (await call('/api/generate', 8_566_257)).json()) as { url: string };
    await show(reply.url, await fetch(reply.url, { signal: stop }));

    console.log('2. POST /api/generate_file answers with the bytes\n');
    const file = await call('/api/generate_file', 1_812);
    const name = /filename="([^"]+)"/.exec(file.headers.get('content-disposition') ?? '')?.[1] ?? '';
    await show(`${baseUrl}/${OUTPUT_DIR}/${name}`, file);

    if (once) return;
    console.log('The same with curl, while this runs:\n');
    console.log(`${curlCommands(baseUrl, relative(process.cwd(), WORKFLOW), OUTPUT_NODE)}\n`);
    console.log(`   ${baseUrl}/docs has all endpoints, to read and to try.`);
    console.log('   Ctrl+C ends the demo.\n');
    await aborted(stop);
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    await app?.close();
    await comfy.stop();
  }
}

/** The seed decides the picture, and ComfyUI would answer a second call with the same one from its cache. */
async function readWorkflow(seed: number): Promise<Workflow> {
  const workflow = JSON.parse(await readFile(WORKFLOW, 'utf8')) as Workflow;
  const sampler = workflow['3'];
  if (sampler !== undefined) sampler.inputs['seed'] = seed;
  return workflow;
}
