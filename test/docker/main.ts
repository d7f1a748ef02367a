import { parseArgs } from 'node:util';
import { ComfyStandin } from '../comfyui/index.js';
import { Deployment, IMAGE } from './deployment.js';
import { docker, whatIsMissing } from './engine.js';
import { type Context, type Scenario, SCENARIOS } from './scenarios.js';

const HELP = `Builds the image, and runs docker-compose.yml on clones of this repository, to a picture and a clean stop.

  npm run test:docker
  npm run test:docker -- --only "read-only"

Needs a Docker Engine, Docker Compose 2.24 or later and the base image; without them it says what is missing, and skips. Needs no GPU and no
ComfyUI: a stand-in on this machine, which containers reach as host.docker.internal.

  --required         fail, if something is missing
  --only TEXT        only scenarios whose name holds this text
  NODE_IMAGE         base image to build from, by default node:24-bookworm-slim
  DOCKER             another docker command, for example podman's
`;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    required: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) console.log(HELP);
else {
  const baseImage = process.env['NODE_IMAGE'] ?? 'node:24-bookworm-slim';
  const missing = await whatIsMissing(baseImage);
  if (missing === undefined) {
    process.exitCode = (await test(baseImage)) ? 0 : 1;
  } else {
    console.log(`Skipped: the tests of the Docker image need ${missing}.`);
    if (values.required) process.exitCode = 1;
  }
}

/** @returns whether all passed */
async function test(baseImage: string): Promise<boolean> {
  // Containers come from another network than 127.0.0.1.
  const comfy = await ComfyStandin.start({ host: '0.0.0.0' });
  const comfyui = `host.docker.internal:${new URL(comfy.url).port}`;
  let passed = 0;
  let failed = 0;
  try {
    console.log(`Building the image from ${baseImage}`);
    await build(baseImage);
    const chosen = SCENARIOS.filter(({ name }) => name.includes(values.only ?? ''));
    for (const scenario of chosen) {
      if (await passes(scenario, { comfy, comfyui, baseImage })) passed += 1;
      else failed += 1;
    }
  } catch (error) {
    console.log(error);
    failed += 1;
  } finally {
    await comfy.stop();
    await docker(['image', 'rm', '--force', IMAGE]);
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0;
}

/** As `docker compose up --build` does. */
async function build(baseImage: string): Promise<void> {
  const clone = await Deployment.create({
    comfyui: '',
    owner: process.getuid?.() ?? 0,
    env: { NODE_IMAGE: baseImage },
  });
  await clone.compose(['build', '--quiet'], 900_000);
  await clone.remove();
}

async function passes(scenario: Scenario, context: Context): Promise<boolean> {
  const started = Date.now();
  try {
    await scenario.run(context);
    console.log(`ok   ${scenario.name} (${Math.round((Date.now() - started) / 1_000)} s)`);
    return true;
  } catch (error) {
    console.log(
      `FAIL ${scenario.name}\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    return false;
  }
}
