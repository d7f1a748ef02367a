import assert from 'node:assert/strict';
import type { ComfyStandin } from '../comfyui/index.js';
import { picture, slow } from '../e2e/support/workflows.js';
import { Deployment, type DeploymentOptions, IMAGE } from './deployment.js';
import { docker, dockerOk, until } from './engine.js';

/** Bytes that the image may add to its base. */
const SIZE_LIMIT = 90e6;

export interface Context {
  comfy: ComfyStandin;
  /** Of the stand-in, as containers see it. */
  comfyui: string;
  baseImage: string;
}

export interface Scenario {
  name: string;
  run(context: Context): Promise<void>;
}

const READ_ONLY = 'read_only: true\ntmpfs: [/tmp]';
const NO_CAPABILITIES = 'cap_drop: [ALL]\ncap_add: !reset []';
const ONCE = 'restart: "no"';

export const SCENARIOS: Scenario[] = [
  {
    name: `the image adds at most ${SIZE_LIMIT / 1e6} MB to its base`,
    async run({ baseImage }) {
      const size = async (image: string) =>
        Number(await dockerOk(['image', 'inspect', '--format', '{{.Size}}', image]));
      const added = (await size(IMAGE)) - (await size(baseImage));
      console.log(`     it adds ${(added / 1e6).toFixed(1)} MB`);
      assert.ok(added <= SIZE_LIMIT, `${added} bytes`);
    },
  },
  {
    name: 'the image holds all that its dependencies load',
    async run() {
      const load = `import { readFileSync } from 'node:fs';
        const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
        for (const name of Object.keys(dependencies)) await import(name);`;
      await dockerOk(['run', '--rm', IMAGE, 'node', '--input-type=module', '--eval', load]);
    },
  },
  {
    name: 'a clone of root: the compose file as it is',
    run: works({}, async (deployment) => {
      assert.equal(await deployment.serverUser(), 1000);
      const owners = await deployment.owners('output_images');
      assert.deepEqual([owners['.'], owners['.tmp'], owners['.link-secret']], [1000, 1000, 1000]);
    }),
  },
  {
    name: 'a clone of another user, who is not given: node gets the folder',
    run: works({ owner: 4321 }, async (deployment) => {
      assert.equal(await deployment.serverUser(), 1000);
      assert.equal((await deployment.owners('output_images'))['.'], 1000);
    }),
  },
  {
    name: 'a clone of another user, who is given by APP_UID: nothing changes hands',
    run: works({ owner: 4321, env: { APP_UID: '4321', APP_GID: '4321' } }, async (deployment) => {
      assert.equal(await deployment.serverUser(), 4321);
      for (const owner of Object.values(await deployment.owners('output_images'))) assert.equal(owner, 4321);
    }),
  },
  {
    name: 'empty volumes that belong to root, with STATE_DIR',
    run: works({
      service: [
        'environment: { OUTPUT_DIR: /data/output, STATE_DIR: /data/state }',
        'volumes: !override ["output:/data/output", "state:/data/state"]',
      ].join('\n'),
      volumes: '{ output: {}, state: {} }',
    }),
  },
  {
    name: 'folders that a server of root has written to before',
    async run(context) {
      const service = 'environment: { STATE_DIR: /app/state }\nvolumes: ["./state:/app/state"]';
      const asRoot = `${service}\nentrypoint: [node, dist/main.js]`;
      await works({ service: asRoot }, async (deployment) => {
        assert.equal(await deployment.serverUser(), 0);
        assert.equal((await deployment.owners('output_images'))['.link-secret'], 0);
        await deployment.stop();
        await deployment.setService(service);
        await deployment.up();
        await deployment.healthy();
        await getPicture(deployment);
        assert.equal(await deployment.serverUser(), 1000);
      })(context);
    },
  },
  { name: 'a read-only root', run: works({ service: READ_ONLY }) },
  {
    name: 'no capabilities: root without rights writes to what belongs to root',
    run: works({ service: NO_CAPABILITIES }, async (deployment) => {
      assert.equal(await deployment.serverUser(), 0);
      assert.match(await deployment.log(), /The container has no capabilities, so the server stays uid 0\./);
    }),
  },
  {
    name: 'another user, a read-only root, no capabilities and no new privileges',
    run: works(
      {
        owner: 1234,
        service: `user: '1234:1234'\n${READ_ONLY}\n${NO_CAPABILITIES}\nsecurity_opt: ['no-new-privileges:true']`,
      },
      async (deployment) => assert.equal(await deployment.serverUser(), 1234),
    ),
  },
  {
    name: 'another user on a folder of root ends with one line',
    run: ends({ service: `user: '1234:1234'\n${ONCE}` }, [
      'The output folder "/app/output_images" cannot be used: permission denied',
      'the server runs as uid 1234, gid 1234, the folder belongs to uid 0.',
      'Run "chown -R 1234:1234" on the folder (outside the container, if it is mounted)',
    ]),
  },
  {
    name: 'files of root in a folder of another user end with one line',
    run: ends(
      {
        owner: 1234,
        service: `user: '1234:1234'\nvolumes: !override ["./old:/app/output_images"]\n${ONCE}`,
        folders: { old: 1234, 'old/.tmp': 0 },
      },
      [
        'The output folder "/app/output_images" cannot be used: permission denied at "/app/output_images/.tmp/',
        'Run "chown -R 1234:1234"',
      ],
    ),
  },
  {
    name: 'no capabilities on a folder of another user ends with one line',
    run: ends({ owner: 4321, service: `${NO_CAPABILITIES}\n${ONCE}` }, [
      'The output folder "/app/output_images" cannot be used: permission denied',
      'the server runs as uid 0, gid 0, the folder belongs to uid 4321.',
    ]),
  },
  {
    name: 'a state folder that is mounted read-only ends with one line',
    run: ends(
      {
        service: `environment: { STATE_DIR: /app/state }\nvolumes: ["./state:/app/state:ro"]\n${ONCE}`,
        folders: { state: 1000 },
      },
      ['The state folder "/app/state" cannot be used: the file system is read-only'],
    ),
  },
  {
    name: 'an output folder on a read-only root ends with one line',
    run: ends({ service: `${READ_ONLY}\nenvironment: { OUTPUT_DIR: /app/elsewhere }\n${ONCE}` }, [
      'The output folder "/app/elsewhere" cannot be used: ',
    ]),
  },
  {
    name: 'root that may not change to node ends with one line',
    run: ends({ service: `cap_add: !override [CHOWN]\n${ONCE}` }, [
      'The container starts as root and lacks the capabilities SETUID and SETGID',
    ]),
  },
  {
    name: 'a stop while a job runs: the job ends, its caller gets the picture, exit code 0',
    run: (context) =>
      withDeployment(context, {}, async (deployment) => {
        await deployment.healthy();
        const answer = generate(deployment, slow({ steps: 100, delayMs: 30 }));
        const running = until('running', 10_000, () =>
          Promise.resolve(context.comfy.queue.running.length > 0 ? true : undefined),
        );
        const [{ status }, { code }] = await Promise.all([answer, running.then(() => deployment.stop())]);
        assert.deepEqual([status, code], [200, 0]);
      }),
  },
  {
    name: 'a stop while the server starts: exit code 0',
    run: (context) =>
      withDeployment(context, {}, async (deployment) => {
        await until('starting', 30_000, async () =>
          (await deployment.log()).includes('Starting Nest application') ? true : undefined,
        );
        const { code, ms } = await deployment.stop();
        assert.equal(code, 0);
        assert.ok(ms < 30_000, `${ms} ms`);
      }),
  },
  {
    name: 'without Compose: PORT of the container, the health check, commands and signals',
    async run() {
      const started = [
        'run',
        '--detach',
        '--health-interval',
        '1s',
        '--env',
        'PORT=8081',
        '--env',
        'HOST=0.0.0.0',
      ];
      const id = await dockerOk([...started, '--env', 'ENABLE_OSS=false', IMAGE]);
      try {
        const state = async (field: string) => dockerOk(['inspect', '--format', `{{.State.${field}}}`, id]);
        await until('healthy', 60_000, async () =>
          (await state('Health.Status')) === 'healthy' ? true : undefined,
        );
        await dockerOk(['stop', '--time', '40', id]);
        assert.equal(await state('ExitCode'), '0');
      } finally {
        await docker(['rm', '--force', '--volumes', id]);
      }
      assert.equal(await dockerOk(['run', '--rm', IMAGE, 'id', '-u']), '1000');
      assert.equal(await dockerOk(['run', '--rm', '--user', '77', IMAGE, 'id', '-u']), '77');
      assert.match(
        await dockerOk(['run', '--rm', IMAGE, 'node', 'dist/cli/main.js', '--help']),
        /comfy-sync/,
      );
      const { code, messages } = await docker(['run', '--rm', IMAGE, 'no-such-command']);
      assert.deepEqual([code, messages.trim()], [127, 'The command "no-such-command" was not found.']);
    },
  },
];

/** It gets healthy, makes a picture, writes no stack, and stops cleanly. */
function works(options: Partial<DeploymentOptions>, check?: (deployment: Deployment) => Promise<void>) {
  return (context: Context) =>
    withDeployment(context, options, async (deployment) => {
      await deployment.healthy();
      await getPicture(deployment);
      await check?.(deployment);
      const { code, ms } = await deployment.stop();
      const log = await deployment.log();
      assert.equal(code, 0, lastLines(log));
      assert.ok(ms < 30_000, `${ms} ms`);
      assert.doesNotMatch(log, /^\s+at /m);
    });
}

/** It ends with 1; the last line of its log, and no other, says why. */
function ends(options: Partial<DeploymentOptions>, said: string[]) {
  return (context: Context) =>
    withDeployment(context, options, async (deployment) => {
      assert.equal(await deployment.exitCode(), 1);
      const log = await deployment.log();
      const lines = log.trimEnd().split('\n');
      for (const text of said)
        assert.ok(lines.at(-1)?.includes(text), `${text}\nis not in the last line of\n${lastLines(log)}`);
      assert.doesNotMatch(log, /^\s+at /m);
    });
}

async function withDeployment(
  { comfyui }: Context,
  options: Partial<DeploymentOptions>,
  use: (deployment: Deployment) => Promise<void>,
): Promise<void> {
  const deployment = await Deployment.create({ comfyui, ...options });
  try {
    await deployment.up();
    await use(deployment);
  } finally {
    await deployment.remove();
  }
}

async function getPicture(deployment: Deployment): Promise<void> {
  const answer = await generate(deployment, picture());
  assert.equal(answer.status, 200, await answer.clone().text());
  const { url } = (await answer.json()) as { url: string };
  const bytes = Buffer.from(await (await fetch(new URL(url, deployment.url))).arrayBuffer());
  assert.equal(bytes.subarray(1, 4).toString(), 'PNG');
}

function generate({ url }: Deployment, workflow: unknown): Promise<Response> {
  return fetch(`${url}/api/generate`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ workflow_data: workflow }),
    signal: AbortSignal.timeout(60_000),
  });
}

function lastLines(log: string): string {
  return log.trimEnd().split('\n').slice(-15).join('\n');
}
