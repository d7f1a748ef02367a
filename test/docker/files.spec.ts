import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const { load } = createRequire(import.meta.url)('js-yaml') as { load: (text: string) => unknown };

const ROOT = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');

const texts = z.array(z.string());
/** As Compose reads what this project uses: https://github.com/compose-spec/compose-go/blob/main/schema/compose-spec.json */
const COMPOSE_FILE = z.strictObject({
  services: z.strictObject({
    'comfy-sync-server': z.strictObject({
      build: z.strictObject({ context: z.literal('.'), args: z.record(z.string(), z.string()) }),
      image: z.string(),
      restart: z.string(),
      stop_grace_period: z.string().regex(/^\d+s$/),
      user: z.string(),
      cap_drop: texts,
      cap_add: texts,
      security_opt: texts,
      ports: texts,
      env_file: z.array(z.strictObject({ path: z.string(), required: z.boolean() })),
      environment: z.record(z.string(), z.string()),
      extra_hosts: texts,
      volumes: texts,
      healthcheck: z
        .strictObject({ test: z.union([z.string(), texts]), interval: z.string(), timeout: z.string() })
        .partial()
        .optional(),
    }),
  }),
});

/** Instructions of the Dockerfile, one a line, without comments. */
const instructions = (text: string) =>
  text
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter(Boolean);

describe('docker-compose.yml', () => {
  const { services } = COMPOSE_FILE.parse(load(read('docker-compose.yml')));
  const service = services['comfy-sync-server'];

  it('gives a stop more time than jobs have to end', () => {
    const graceS = Number(/SHUTDOWN_GRACE_S=(\d+)/.exec(read('.env.example'))?.[1]);
    expect(parseInt(service.stop_grace_period, 10)).toBeGreaterThan(graceS + 5);
  });

  it('names the base image that the Dockerfile names', () => {
    const [, image] = /^ARG NODE_IMAGE=(.*)$/m.exec(read('Dockerfile')) ?? [];
    expect(service.build.args['NODE_IMAGE']).toBe(`\${NODE_IMAGE:-${image}}`);
  });

  it('leaves the health check to the image', () => {
    expect(service.healthcheck).toBeUndefined();
  });
});

describe('Dockerfile', () => {
  const all = instructions(read('Dockerfile'));
  const lists = all
    .map((line) => /^(?:ENTRYPOINT|CMD|HEALTHCHECK .*CMD) (.*)$/.exec(line)?.[1])
    .filter((list) => list !== undefined);

  it('writes every command as a list of strings', () => {
    expect(lists).toHaveLength(3);
    for (const list of lists) expect(texts.parse(JSON.parse(list)).length).toBeGreaterThan(1);
  });

  it('copies only what the context holds, and starts files that it copies', () => {
    const ignored = read('.dockerignore').split('\n');
    const copied = all
      .map((line) => /^COPY (?!--from)(.*)$/.exec(line)?.[1])
      .filter((list) => list !== undefined);
    for (const path of copied.flatMap((list) => list.split(' ').slice(0, -1))) {
      expect(ignored).toContain(`!${path}`);
      expect(statSync(new URL(path, ROOT))).toBeDefined();
    }
    const files = readdirSync(new URL('deploy/docker', ROOT));
    for (const [, file] of lists.join(' ').matchAll(/\/app\/docker\/([\w.]+)/g))
      expect(files).toContain(file);
  });
});
