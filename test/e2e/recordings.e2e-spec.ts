import { rm } from 'node:fs/promises';
import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import { recordingsOf } from '../comfyui/conformance/recording.js';
import type { Version } from '../comfyui/dialect.js';
import type { ComfyStandin, Graph } from '../comfyui/index.js';
import {
  FAST,
  Gateway,
  type GatewayOptions,
  type Problem,
  readProblem,
  type Reply,
} from './support/gateway.js';
import { type RecordedPrompt, Stage, tellPictures, watchAll } from './support/recorded.js';
import { picture, salt } from './support/workflows.js';

/** What a caller must get where ComfyUI is in the situation of a recording. */
interface Row {
  gateway?: GatewayOptions;
  play: (stage: Stage) => Promise<void>;
}

interface Files {
  /** @default 1 */
  count?: number;
  /** @default 'image/png' */
  type?: string;
  /** @default 'image' */
  kind?: string;
  /** @default /^image_\d+_[0-9a-f]{12}\.png$/ */
  name?: RegExp;
  /** Not on ComfyUI's disk: they came over the socket. */
  unsaved?: boolean;
  /** Not comparable with the recorded one: painted by a model there, or its bytes hold the prompt. @default false */
  differs?: boolean;
}

/** Checks a reply: so many files of such a kind, the bytes of ComfyUI's own, the pixels of the recorded ones. */
async function expectFiles(stage: Stage, reply: Reply, files: Files = {}): Promise<Buffer[]> {
  const { count = 1, type = 'image/png', kind = 'image', name = /^image_\d+_[0-9a-f]{12}\.png$/ } = files;
  expect(reply.outputs.map((output) => [output.index, output.kind, output.content_type])).toEqual(
    Array.from({ length: count }, (_, index) => [index, kind, type]),
  );
  for (const output of reply.outputs) expect(output.filename).toMatch(name);
  expect(new Set(reply.outputs.map(({ filename }) => filename)).size).toBe(count);
  expect(reply.url).toBe(reply.outputs[0]?.url);
  const served = await stage.fetchAll(reply);
  const saved = await stage.savedFor(reply.job_id);
  if (files.unsaved) expect(saved).toEqual([]);
  else
    expect(served.map((bytes) => bytes.toString('base64'))).toEqual(
      saved.map((bytes) => bytes.toString('base64')),
    );
  const recorded = stage.recordedFiles.slice(0, count);
  if (!files.differs && recorded.length > 0)
    expect(await tellPictures(served)).toEqual(await tellPictures(recorded));
  return served;
}

/** The recorded prompt is sent once, and its files come. */
function gives(files: Files = {}, outputNode: number | string = 277): Row {
  return {
    async play(stage) {
      const reply = await stage.generate(stage.workflow, outputNode);
      expect(new Set(reply.outputs.map(({ node_id }) => node_id))).toEqual(new Set([String(outputNode)]));
      expect(reply.node_errors).toBeUndefined();
      await expectFiles(stage, reply, files);
      expect(stage.submissions).toHaveLength(1);
      stage.expectSubmitted(stage.workflow);
      const file = await stage.gateway.post('/api/generate_file', {
        workflow_data: recoloured(stage.workflow),
        output_node_id: outputNode,
      });
      expect([file.status, file.headers.get('content-type')]).toEqual([200, files.type ?? 'image/png']);
      expect((await file.arrayBuffer()).byteLength).toBeGreaterThan(0);
      await stage.expectIdle();
    },
  };
}

/** The recorded prompt is sent once, and ends in this problem. */
function fails(status: number, code: string, more: Partial<Problem> = {}): Row {
  return {
    async play(stage) {
      const problem = await readProblem(await stage.call(stage.workflow));
      expect(problem).toMatchObject({ status, code, ...more });
      expectNoLeak(problem);
      expect(await stage.gateway.files()).toEqual([]);
      await stage.expectIdle();
      await stage.generate(picture());
    },
  };
}

/** As `gives`, while somebody watches: as many previews as were recorded, progress that only goes forward. */
function shows(files: Files = {}, outputNode = 277): Row {
  return {
    async play(stage) {
      const reply = await stage.generate(stage.workflow, outputNode);
      await expectFiles(stage, reply, files);
      await expectShown(stage, 0, stage.frames.length);
    },
  };
}

/** What the watcher of a job that went well has seen. */
async function expectShown(stage: Stage, job: number, previews: number, jobs = stage.jobs): Promise<void> {
  const updates = jobs[job]?.updates ?? expect.fail('there is no such job');
  const seen = updates.flatMap(({ event }) => (event?.type === 'preview' ? [event.preview] : []));
  expect(seen).toHaveLength(previews);
  for (const { mime, bytes } of seen) {
    expect([mime, (await sharp(bytes).metadata()).format]).toEqual(['image/jpeg', 'jpeg']);
  }
  const progress = updates.flatMap(({ event }) => (event?.type === 'progress' ? [event.progress] : []));
  const values = progress.map(({ value }) => value);
  expect(values.length).toBeGreaterThan(previews);
  expect(values).toEqual([...values].sort((a, b) => a - b));
  expect(values.at(-1)).toBe(1);
  for (const { node } of progress) expect([...Object.keys(stage.workflow), undefined]).toContain(node);
  const stations = new Set(updates.map(({ state }) => state.status));
  stations.delete('queued');
  expect([...stations]).toEqual(['running', 'storing', 'succeeded']);
}

const leaks = /\/srv\/|\/work\/|\/tmp\/|traceback|node_modules|127\.0\.0\.1|\.(ts|py)\b.*:\d/i;
const expectNoLeak = (answer: unknown) => expect(JSON.stringify(answer)).not.toMatch(leaks);

async function color(bytes: Buffer | undefined): Promise<number> {
  return (await sharp(bytes).removeAlpha().raw().toBuffer()).readUIntBE(0, 3);
}

/** Another picture: nothing of it is in ComfyUI's cache. */
function recoloured(workflow: Graph): Graph {
  const copy = structuredClone(workflow);
  for (const { inputs } of Object.values(copy)) if ('color' in inputs) inputs['color'] = salt();
  return copy;
}

/** The same workflow, whose picture is only shown (`PreviewImage`): the node is cached with it. */
function previewed(workflow: Graph): Graph {
  const images = workflow['277']?.inputs['images'];
  return { ...workflow, '277': { class_type: 'PreviewImage', inputs: { images } } };
}

const colorOf = (workflow: Graph | undefined) => workflow?.['1']?.inputs['color'];

/** Another program that talks to the same ComfyUI. */
async function postElsewhere(comfy: ComfyStandin, body: unknown): Promise<string> {
  const response = await fetch(`${comfy.url}/prompt`, { method: 'POST', body: JSON.stringify(body) });
  expect(response.status).toBe(200);
  return ((await response.json()) as { prompt_id: string }).prompt_id;
}

const post = (comfy: ComfyStandin, path: string, body: unknown) =>
  fetch(`${comfy.url}${path}`, { method: 'POST', body: JSON.stringify(body) });

/** Waits until so many prompts are in ComfyUI, one of them running. */
async function inComfyui(comfy: ComfyStandin, running: number, pending: number): Promise<void> {
  await expect
    .poll(() => [comfy.queue.running.length, comfy.queue.pending.length], { interval: 5, timeout: 5_000 })
    .toEqual([running, pending]);
}

/** After which we ask how a prompt is. */
const SILENCE_MS = FAST.limits?.run.silenceMs ?? 0;

const ALL_EVENTS = [
  'status',
  'execution_start',
  'execution_cached',
  'progress_state',
  'executing',
  'progress',
  'executed',
  'execution_success',
  'binary',
];

/** 04: what becomes of each refused request; those that are sent on get ComfyUI's own words. */
const REFUSALS: Record<string, [status: number, code: string, reachesComfyui: boolean]> = {
  'required input missing': [422, 'invalid_workflow', true],
  'unknown node class': [422, 'invalid_workflow', true],
  'class_type missing': [422, 'invalid_workflow', false],
  'value out of range': [422, 'invalid_workflow', true],
  'wrong type': [422, 'invalid_workflow', true],
  'value not in list (missing model)': [422, 'invalid_workflow', true],
  'link to a node that is not there': [422, 'invalid_workflow', true],
  'return type mismatch': [422, 'invalid_workflow', true],
  'no output node': [422, 'invalid_workflow', true],
  'empty prompt': [422, 'invalid_workflow', false],
  'no prompt key': [400, 'invalid_request', false],
  'prompt is a list': [400, 'invalid_request', false],
  'UI-format workflow instead of API format': [422, 'workflow_format_ui', false],
  'LoadImage of a file that is not there': [422, 'invalid_workflow', true],
  'two outputs, one invalid: accepted, node_errors set': [200, '', true],
  'body is not JSON': [400, 'invalid_request', false],
};

async function refusal(stage: Stage, { note, body, workflow, status, reply }: RecordedPrompt): Promise<void> {
  const [expected, code, reaches] = REFUSALS[note] ?? expect.fail(`${note} has no row`);
  const before = stage.submissions.length;
  const response = await stage.gateway.post(
    '/api/generate',
    body === undefined ? 'this is not' : { workflow_data: workflow },
  );
  expect(stage.submissions.length - before, note).toBe(reaches ? 1 : 0);
  if (expected === 200) {
    const { node_errors } = (await response.json()) as Reply;
    expect(Object.keys(node_errors ?? {}), note).toEqual(Object.keys(reply.node_errors ?? {}));
    return;
  }
  const problem = await readProblem(response);
  expect(problem, note).toMatchObject({ status: expected, code });
  expectNoLeak(problem);
  if (!reaches) return;
  expect(status).toBe(400);
  // ComfyUI's own words about each node, without its tracebacks and without its lists of what depends on what.
  const told = Object.entries(reply.node_errors ?? {}).map(([node, { class_type, errors }]) => [
    node,
    {
      class_type,
      errors: errors.map(({ type, message, details, extra_info: { input_name } }) => ({
        type,
        message,
        details,
        ...(input_name === undefined ? {} : { input: input_name }),
      })),
    },
  ]);
  expect(problem.node_errors ?? {}, note).toEqual(Object.fromEntries(told));
}

/** A node fails: its id, class and ComfyUI's reason, from the recorded event. */
function nodeFails(code: string): Row {
  return {
    async play(stage) {
      const recorded = stage.items.find(
        ({ json }) => (json as { type?: string } | undefined)?.type === 'execution_error',
      )?.json as { data: { node_id: string; node_type: string; exception_type: string } };
      const { node_id, node_type, exception_type } = recorded.data;
      const problem = await readProblem(await stage.call(stage.workflow));
      expect(problem).toMatchObject({ status: 502, code });
      expect(problem.detail).toContain(`Node ${node_id} (${node_type})`);
      expect(problem.node_errors?.[node_id]).toMatchObject({
        class_type: node_type,
        errors: [{ type: 'execution_error', details: exception_type }],
      });
      expectNoLeak(problem);
      expect(stage.comfy.executed.at(-1)?.outcome).toBe('error');
      await stage.expectIdle();
      await stage.generate(picture());
    },
  };
}

const animatedOrVideo = (count: number, type: string, kind: string, name: RegExp): Row =>
  gives({ count, type, kind, name });

/** Every recording that a gateway can be in; each generation that has it, 0.8.0 as `playedWith` says. */
const ROWS: Record<string, Row> = {
  '01-success': gives(),
  '02a-first': gives(),
  '02b-cached-rerun': {
    // Without folders of their own the save node would be cached as well; a mark in it has it run again, and each reply has its own file.
    gateway: { env: { COMFYUI_JOB_FOLDERS: 'false' } },
    async play(stage) {
      const first = await stage.generate(stage.workflow);
      const second = await stage.generate(stage.workflow);
      expect(stage.comfy.executed.map(({ outcome }) => outcome)).toEqual(['success', 'success']);
      expect(second.url).not.toBe(first.url);
      expect(second.job_id).not.toBe(first.job_id);
      for (const reply of [first, second])
        expect(await tellPictures(await stage.fetchAll(reply))).toEqual(
          await tellPictures(stage.recordedFiles),
        );
      expect(await stage.gateway.files()).toHaveLength(2);
      const sent = stage.submissions.map(({ body }) => (body as { prompt: Graph }).prompt);
      const marks = sent.map((prompt) => prompt['277']?.inputs['comfy_sync_job']);
      expect([new Set(marks).size, marks.includes(undefined)]).toEqual([2, false]);
      // The nodes before it have no mark, and are answered from the cache.
      for (const prompt of sent) expect(prompt['1']).toEqual(stage.workflow['1']);
      // Each file is looked at twice, before and after it is fetched.
      const viewed = stage.comfy.requests.filter(({ route }) => route === 'GET /view');
      expect(viewed.map(({ query }) => query['filename'])).toEqual([
        'gw_00001_.png',
        'gw_00001_.png',
        'gw_00002_.png',
        'gw_00002_.png',
      ]);
    },
  },
  '03-batch-two-output-nodes': {
    async play(stage) {
      const saved = await stage.gateway.generate({ workflow_data: stage.workflow });
      expect(saved.outputs.map(({ node_id }) => node_id)).toEqual(['277', '277', '277']);
      await expectFiles(stage, saved, { count: 3 });
      stage.expectSubmitted(stage.workflow);
      const previews = await stage.generate(stage.workflow, 9);
      expect(previews.outputs.map(({ node_id, kind }) => [node_id, kind])).toEqual([
        ['9', 'image'],
        ['9', 'image'],
        ['9', 'image'],
      ]);
      const pixels = await tellPictures(stage.recordedFiles.slice(0, 3));
      expect(pixels).toHaveLength(3);
      expect(await tellPictures(await stage.fetchAll(previews))).toEqual(pixels);
    },
  },
  '04-validation-errors': {
    async play(stage) {
      const { prompts } = stage;
      expect(prompts.map(({ note }) => note).sort()).toEqual(Object.keys(REFUSALS).sort());
      for (const prompt of prompts) await refusal(stage, prompt);
      await stage.expectIdle();
    },
  },
  '05a-execution-error': nodeFails('node_execution_error'),
  '05b-out-of-memory': nodeFails('out_of_memory'),
  '06a-progress-previews-legacy': shows(),
  '06b-progress-previews-with-metadata': shows(),
  '07-interrupt-running': {
    async play(stage) {
      const { comfy } = stage;
      const waiting = stage.call(stage.workflow);
      await inComfyui(comfy, 1, 0);
      await post(comfy, '/interrupt', { prompt_id: 'not-the-running-one' });
      // The old server stops whatever runs.
      if (!stage.legacy) {
        expect(comfy.queue.running).toHaveLength(1);
        await post(comfy, '/interrupt', { prompt_id: comfy.queue.running[0] });
      }
      expect(await readProblem(await waiting)).toMatchObject({ status: 502, code: 'interrupted' });
      expect(comfy.executed.map(({ outcome }) => outcome)).toEqual(['interrupted']);
      await stage.expectIdle();
    },
  },
  '08-delete-pending': {
    async play(stage) {
      const { comfy, prompts } = stage;
      const running = stage.generate(prompts[0]?.workflow);
      await inComfyui(comfy, 1, 0);
      const deleted = stage.call(prompts[1]?.workflow);
      await inComfyui(comfy, 1, 1);
      await post(comfy, '/queue', { delete: comfy.queue.pending });
      // Not a word about it comes from ComfyUI: we have to ask, and send it once more.
      const again = (await (await deleted).json()) as Reply;
      expect(again.attempts).toBe(2);
      expect(await color((await stage.fetchAll(again))[0])).toBe(colorOf(prompts[1]?.workflow));
      const [bytes] = await stage.fetchAll(await running);
      expect(await color(bytes)).toBe(colorOf(prompts[0]?.workflow));
      expect(comfy.executed).toHaveLength(2);
      await stage.expectIdle();
    },
  },
  '09-reconnect-same-client-id': {
    async play(stage) {
      const { comfy } = stage;
      const [before] = comfy.sockets.clientIds;
      const waiting = stage.generate(stage.workflow);
      await inComfyui(comfy, 1, 0);
      comfy.faults.dropSockets();
      await expect.poll(() => comfy.sockets.clientIds, { interval: 5 }).not.toContain(before);
      await expect.poll(() => comfy.sockets.count, { interval: 5 }).toBe(1);
      await expectFiles(stage, await waiting);
      expect(stage.submissions).toHaveLength(1);
      expect(stage.comfy.sockets.clientIds).not.toContain(before);
    },
  },
  '10-second-socket-same-client-id': {
    async play(stage) {
      const { comfy } = stage;
      const [before] = comfy.sockets.clientIds;
      const waiting = stage.generate(stage.workflow);
      await inComfyui(comfy, 1, 0);
      // Half-open: only our own pings find out.
      comfy.faults.muteSockets();
      await expect
        .poll(() => comfy.sockets.clientIds.some((id) => id !== before), { timeout: 5_000 })
        .toBe(true);
      await expectFiles(stage, await waiting);
      // The server drops the old one late, which must not take the new one's place in its books.
      comfy.faults.unmuteSockets();
      await expect.poll(() => comfy.sockets.clientIds, { timeout: 5_000 }).not.toContain(before);
      const next = await stage.generate(picture());
      expect(next.timings['rendering_ms']).toBeLessThan(500);
      expect(stage.jobs[1]?.updates.some(({ event }) => event?.type === 'progress')).toBe(true);
    },
  },
  '11-client-chosen-prompt-id': {
    async play(stage) {
      const reply = await stage.generate(stage.workflow);
      await expectFiles(stage, reply);
      expect(stage.submissions[0]?.body).toMatchObject({ prompt_id: reply.job_id });
      // The old server chooses for itself; our caller does not notice.
      expect(stage.comfy.executed[0]?.promptId === reply.job_id).toBe(!stage.legacy);
    },
  },
  '11b-same-prompt-id-again': {
    async play(stage) {
      // The very same call twice, at once: two jobs, two ids, for ComfyUI would run one id twice.
      const replies = await Promise.all([stage.generate(stage.workflow), stage.generate(stage.workflow)]);
      for (const reply of replies) await expectFiles(stage, reply);
      const ids = stage.submissions.map(({ body }) => (body as { prompt_id: string }).prompt_id);
      expect(new Set(ids).size).toBe(2);
      expect([...ids].sort()).toEqual(replies.map(({ job_id }) => job_id).sort());
    },
  },
  '12-no-client-id': {
    async play(stage) {
      // Not one event arrives; only the history tells.
      for (const type of ALL_EVENTS) stage.comfy.faults.loseEvents(type);
      const reply = await stage.generate(stage.workflow);
      await expectFiles(stage, reply);
      expect(stage.submissions).toHaveLength(1);
      expect(stage.submissions[0]?.body).toMatchObject({ client_id: stage.comfy.sockets.clientIds[0] });
    },
  },
  '13-save-image-websocket': gives({ count: 2, unsaved: true }),
  '13b-save-image-websocket-with-metadata': gives({ count: 2, unsaved: true }),
  '14a-animated-webp': animatedOrVideo(1, 'image/webp', 'image', /^image_\d+_[0-9a-f]{12}\.webp$/),
  '14b-video': {
    async play(stage) {
      const row = stage.legacy
        ? fails(422, 'invalid_workflow')
        : animatedOrVideo(1, 'video/mp4', 'video', /^video_\d+_[0-9a-f]{12}\.mp4$/);
      await row.play(stage);
    },
  },
  '14c-text-output': {
    async play(stage) {
      for (const outputNode of [277, undefined]) {
        const reply = await stage.generate(stage.workflow, outputNode);
        const text = stage.workflow['277']?.inputs['text'];
        expect(reply.outputs).toMatchObject([
          { node_id: '277', index: 0, kind: 'text', content_type: 'text/plain; charset=utf-8', text },
        ]);
        expect((await stage.fetchAll(reply)).map(String)).toEqual([text]);
      }
      await stage.expectIdle();
    },
  },
  '14d-save-latent': gives({
    type: 'application/octet-stream',
    kind: 'latent',
    differs: true,
    name: /^file_\d+_[0-9a-f]{12}\.latent$/,
  }),
  '15-upload-and-load': {
    async play(stage) {
      const image = sharp({ create: { width: 32, height: 16, channels: 3, background: '#c03020' } }).png();
      const form = new FormData();
      form.set('image', new File([new Uint8Array(await image.toBuffer())], 'in.png'));
      form.set('subfolder', 'up/x');
      const uploaded = await fetch(`${stage.comfy.url}/upload/image`, { method: 'POST', body: form });
      expect(await uploaded.json()).toMatchObject({ name: 'in.png', subfolder: 'up/x' });
      const reply = await stage.generate(stage.workflow);
      const [bytes] = await expectFiles(stage, reply, {});
      expect(await sharp(bytes).metadata()).toMatchObject({ width: 64, height: 32 });
      expect(await color(bytes)).toBe(0xc03020);
      stage.expectSubmitted(stage.workflow);
    },
  },
  '16-one-output-invalid': {
    async play(stage) {
      const recorded = stage.prompts[0]?.reply.node_errors ?? {};
      const { type, message } = recorded['300']?.errors[0] ?? expect.fail('it was skipped');
      const skipped = { '300': { class_type: 'SaveImage', errors: [{ type, message }] } };
      for (const outputNode of [277, undefined]) {
        const reply = await stage.gateway.generate({
          workflow_data: stage.workflow,
          output_node_id: outputNode,
        });
        expect(reply.outputs.map(({ node_id }) => node_id)).toEqual(['277']);
        // Where a node is named, a server that knows partial_execution_targets neither validates nor runs the other branches.
        if (outputNode !== undefined && !stage.legacy) expect(reply.node_errors).toBeUndefined();
        else expect(reply.node_errors).toMatchObject(skipped);
        expectNoLeak(reply);
        await expectFiles(stage, reply);
      }
      const problem = await readProblem(await stage.call(stage.workflow, 300));
      expect(problem).toMatchObject({ status: 422, code: 'invalid_workflow', node_errors: skipped });
      expectNoLeak(problem);
      await stage.expectIdle();
    },
  },
  '17-node-expansion': {
    async play(stage) {
      const reply = await stage.generate(stage.workflow);
      expect(reply.outputs[0]?.node_id).toBe('277');
      await expectFiles(stage, reply);
      // The nodes that came out of it are nobody's business.
      await expectShown(stage, 0, 0);
    },
  },
  '18-server-info': {
    async play(stage) {
      const refused = stage.items.flatMap(({ path }, index) => {
        if (path?.startsWith('/view') !== true) return [];
        return [stage.items.slice(index + 1).find(({ status }) => status !== undefined)?.status ?? 0];
      });
      expect(refused).toEqual([404, 404, 400, 403, 400]);
      for (const status of refused) {
        // The file is in the job's own folder: its node ran, and would do the same again.
        const before = stage.submissions.length;
        stage.comfy.faults.failNext('GET /view', status);
        const problem = await readProblem(await stage.call(picture()));
        expect(problem).toMatchObject({ status: 422, code: 'no_output' });
        expectNoLeak(problem);
        expect(stage.submissions.length - before).toBe(1);
      }
      // A preview may be named by the cache alone: that is emptied, and the job is run again.
      stage.comfy.faults.failNext('GET /view', 404);
      expect((await stage.generate(previewed(picture()))).attempts).toBe(2);
      await expect.poll(() => stage.comfy.history.size, { timeout: 5_000 }).toBe(0);
      // What a job costs there: the whole of the node definitions (megabytes), statistics and lists of models are never asked for.
      const { requests } = stage.comfy;
      expect(new Set(requests.map(({ route }) => route))).toEqual(
        new Set([
          'GET /ws',
          'GET /queue',
          'GET /object_info/{class}',
          'POST /prompt',
          'GET /view',
          'POST /history',
          'POST /free',
        ]),
      );
      // The definition of a class that a job uses is asked for once: is it a partner node, which costs money?
      const asked = requests.filter(({ route }) => route === 'GET /object_info/{class}');
      expect(asked.map(({ path }) => path).sort()).toEqual(
        ['EmptyImage', 'PreviewImage', 'SaveImage'].map((name) => `/object_info/${name}`),
      );
    },
  },
  '19a-txt2img-cold': shows({ differs: true }, 9),
  '19b-txt2img-warm': {
    async play(stage) {
      const cold = structuredClone(stage.workflow);
      for (const node of Object.values(cold)) if ('seed' in node.inputs) node.inputs['seed'] = 1;
      const [first, second] = [await stage.generate(cold, 9), await stage.generate(stage.workflow, 9)];
      const [one] = await expectFiles(stage, first, { differs: true });
      const [two] = await expectFiles(stage, second, { differs: true });
      expect(one?.equals(two ?? Buffer.alloc(0))).toBe(false);
      await expectShown(stage, 1, stage.frames.length);
    },
  },
  '19c-txt2img-legacy-client': {
    async play(stage) {
      const reply = await stage.generate(stage.workflow, 9);
      const [bytes] = await expectFiles(stage, reply, { differs: true });
      expect(await sharp(bytes).metadata()).toMatchObject({ format: 'png', width: 128, height: 128 });
      await expectShown(stage, 0, stage.frames.length);
    },
  },
  '20-two-clients': {
    async play(stage) {
      const other = await Gateway.start(stage.comfy.url);
      try {
        const otherJobs = watchAll(other);
        await expect.poll(() => stage.comfy.sockets.count).toBe(2);
        const [mine, theirs] = stage.prompts.map(({ workflow }) => workflow);
        const [one, two] = await Promise.all([
          stage.generate(mine),
          other.generate({ workflow_data: theirs, output_node_id: 277 }),
        ]);
        expect(await color((await stage.fetchAll(one))[0])).toBe(colorOf(mine));
        expect(await color((await other.fetch(two.url)).bytes)).toBe(colorOf(theirs));
        // Each sees its own previews, and none of the other's.
        await expectShown(stage, 0, stage.frames.length / 2);
        await expectShown(stage, 0, stage.frames.length / 2, otherJobs);
      } finally {
        await other.stop();
      }
    },
  },
  '21-one-client-three-prompts': {
    async play(stage) {
      const replies = await Promise.all(stage.prompts.map(({ workflow }) => stage.generate(workflow)));
      for (const [index, reply] of replies.entries()) {
        expect(await color((await stage.fetchAll(reply))[0])).toBe(colorOf(stage.prompts[index]?.workflow));
        await expectShown(stage, index, stage.frames.length / 3);
      }
      expect(
        new Set(stage.submissions.map(({ body }) => (body as { client_id: string }).client_id)).size,
      ).toBe(1);
    },
  },
  '22-queue-jump': {
    async play(stage) {
      const { comfy, prompts } = stage;
      const [first, second, front, minusHundred] = prompts;
      const waiting = [stage.generate(first?.workflow)];
      await inComfyui(comfy, 1, 0);
      waiting.push(stage.generate(second?.workflow));
      await inComfyui(comfy, 1, 1);
      // Others push in while ours waits in ComfyUI.
      await postElsewhere(comfy, front?.body);
      await postElsewhere(comfy, minusHundred?.body);
      for (const [index, reply] of (await Promise.all(waiting)).entries()) {
        expect(await color((await stage.fetchAll(reply))[0])).toBe(colorOf(prompts[index]?.workflow));
      }
      expect(comfy.executed.map(({ workflow }) => colorOf(workflow))).toEqual(
        [first, minusHundred, front, second].map((prompt) => colorOf(prompt?.workflow)),
      );
    },
  },
  '23a-before': gives(),
  '23b-cached-output-whose-file-is-gone': {
    async play(stage) {
      const first = await stage.generate(stage.workflow);
      // Somebody cleans up on ComfyUI's disk; its cache still names the file.
      await rm(stage.comfy.outputDir, { recursive: true });
      const reply = await stage.generate(stage.workflow);
      await expectFiles(stage, reply);
      // What we have stored is ours.
      expect(await stage.fetchAll(first)).toHaveLength(1);
    },
  },
  '24-history-race': {
    async play(stage) {
      for (const [index, { workflow }] of stage.prompts.entries()) {
        // The entry is late, and trusted where the events said all there is to say.
        stage.comfy.faults.lateHistory(index * 10);
        const [bytes] = await stage.fetchAll(await stage.generate(workflow));
        expect(await color(bytes)).toBe(colorOf(workflow));
      }
      expect(stage.comfy.executed).toHaveLength(10);
    },
  },
  '26-progress-text': gives(),
  '27a-blocked-silently': fails(422, 'no_output'),
  '27b-blocked-with-message': fails(422, 'no_output', {
    detail: expect.stringContaining('not today') as string,
  }),
  '27c-one-of-two-branches-blocked-with-message': {
    async play(stage) {
      const reply = await stage.gateway.generate({ workflow_data: stage.workflow });
      expect(reply.outputs.map(({ node_id }) => node_id)).not.toContain('277');
      expect(reply).toMatchObject({ warnings: [{ code: 'output_blocked', node_id: '277' }] });
      // Where a node is named, the blocked branch does not run, and there is nothing to warn of.
      const named = await stage.generate(recoloured(stage.workflow), 300);
      expect(named.outputs.map(({ node_id }) => node_id)).toEqual(['300']);
      expect(named).not.toHaveProperty('warnings');
      expect(await readProblem(await stage.call(recoloured(stage.workflow)))).toMatchObject({
        status: 422,
        code: 'no_output',
      });
      await stage.expectIdle();
    },
  },
  '28-interrupted-by-somebody-else': {
    async play(stage) {
      const { comfy, prompts } = stage;
      const first = stage.call(prompts[0]?.workflow);
      await inComfyui(comfy, 1, 0);
      const second = stage.generate(prompts[1]?.workflow);
      await inComfyui(comfy, 1, 1);
      await post(comfy, '/interrupt', {});
      expect(await readProblem(await first)).toMatchObject({ status: 502, code: 'interrupted' });
      await expectFiles(stage, await second);
      await stage.expectIdle();
    },
  },
  '29-queue-cleared': {
    async play(stage) {
      const { comfy, prompts } = stage;
      const running = stage.generate(prompts[0]?.workflow);
      await inComfyui(comfy, 1, 0);
      const cleared = stage.generate(prompts[1]?.workflow);
      await inComfyui(comfy, 1, 1);
      await post(comfy, '/queue', { clear: true });
      const replies = await Promise.all([running, cleared]);
      expect(replies.map(({ attempts }) => attempts)).toEqual([1, 2]);
      await stage.expectIdle();
    },
  },
  '30-history-cleared': {
    async play(stage) {
      const { comfy, prompts } = stage;
      const waiting = [stage.generate(prompts[0]?.workflow), stage.generate(prompts[1]?.workflow)];
      await inComfyui(comfy, 1, 1);
      await inComfyui(comfy, 1, 0);
      await post(comfy, '/history', { clear: true });
      for (const reply of await Promise.all(waiting)) expect(reply.attempts).toBe(1);
    },
  },
  '34a-partial-execution-targets': {
    async play(stage) {
      const reply = await stage.generate(stage.workflow, 300);
      expect(reply.outputs.map(({ node_id }) => node_id)).toEqual(['300']);
      expect(stage.submissions.map(({ body }) => body)).toMatchObject([
        { partial_execution_targets: stage.prompts[0]?.body?.['partial_execution_targets'] },
      ]);
      expect(await tellPictures(await stage.fetchAll(reply))).toEqual(
        await tellPictures(stage.recordedFiles),
      );
      await stage.expectIdle();
    },
  },
  '36-error-after-an-output': {
    async play(stage) {
      const problem = await readProblem(await stage.call(stage.workflow, 300));
      expect(problem).toMatchObject({ status: 502, code: 'node_execution_error' });
      expectNoLeak(problem);
      // The branch that fails does not run where the other one is named.
      const workflow = recoloured(stage.workflow);
      const reply = await stage.generate(workflow, 277);
      expect(reply.outputs.map(({ node_id }) => node_id)).toEqual(['277']);
      expect(await color((await stage.fetchAll(reply))[0])).toBe(colorOf(workflow));
      expect(reply).not.toHaveProperty('node_errors');
      expect(reply).not.toHaveProperty('warnings');
      expect(stage.comfy.executed.map(({ outcome }) => outcome)).toEqual(['error', 'success']);
      await stage.expectIdle();
    },
  },
  '37-async-nodes-side-by-side': {
    async play(stage) {
      for (const node of [277, 278]) {
        const workflow = recoloured(stage.workflow);
        const reply = await stage.generate(workflow, node);
        expect(reply.outputs.map(({ node_id }) => node_id)).toEqual([String(node)]);
        expect(await color((await stage.fetchAll(reply))[0])).toBe(colorOf(workflow));
      }
      await stage.expectIdle();
    },
  },
  '39a-audio-flac-and-preview': gives({
    type: 'audio/flac',
    kind: 'audio',
    name: /^audio_\d+_[0-9a-f]{12}\.flac$/,
    differs: true,
  }),
  '39b-audio-mp3': gives({
    type: 'audio/mpeg',
    kind: 'audio',
    name: /^audio_\d+_[0-9a-f]{12}\.mp3$/,
    differs: true,
  }),
  '40a-autogrow-input': gives({ count: 2 }),
  '40b-dynamic-combo': gives(),
  '40c-dynamic-inputs-wrong': {
    async play(stage) {
      const results: unknown[] = [];
      for (const { note, workflow, reply } of stage.prompts) {
        const response = await stage.call(workflow);
        const { code, node_errors } = (await response.json()) as Partial<Problem>;
        results.push([note, response.status, code]);
        expect(Object.keys(node_errors ?? {}), note).toEqual(
          Object.keys(reply.node_errors ?? {}).length > 0 || response.status === 502 ? ['3'] : [],
        );
      }
      expect(results).toEqual([
        ['one image of two', 200, undefined],
        ['none', 502, 'node_execution_error'],
        ['more than the template has', 502, 'node_execution_error'],
        ['a key that is not there', 502, 'node_execution_error'],
        ['an input of the key is missing', 422, 'invalid_workflow'],
        ['out of range', 422, 'invalid_workflow'],
      ]);
    },
  },
  '41-preview-any': {
    async play(stage) {
      const reply = await stage.generate(stage.workflow);
      expect(reply.outputs).toMatchObject([{ node_id: '277', kind: 'text', text: '42' }]);
    },
  },
  '42-prompt-without-client-id-seen-by-others': {
    async play(stage) {
      const [theirs, ours] = stage.prompts;
      await postElsewhere(stage.comfy, theirs?.body);
      await inComfyui(stage.comfy, 1, 0);
      const reply = await stage.generate(ours?.workflow);
      const [bytes] = await expectFiles(stage, reply, { unsaved: true, differs: true });
      expect(await color(bytes)).toBe(colorOf(ours?.workflow));
      const seen = stage.jobs[0]?.updates.map(({ event }) => event?.type);
      expect(seen).not.toContain('preview');
    },
  },
  '90-server-killed-mid-run': {
    async play(stage) {
      const { comfy } = stage;
      const waiting = stage.call(stage.workflow);
      await inComfyui(comfy, 1, 0);
      await comfy.kill();
      await comfy.restart();
      // Its queue and its history are empty: the job is sent again.
      const reply = (await (await waiting).json()) as Reply;
      expect(reply.attempts).toBe(2);
      const [bytes] = await stage.fetchAll(reply);
      expect(await color(bytes)).toBe(colorOf(stage.workflow));
      expect(await stage.gateway.files()).toHaveLength(1);
    },
  },
};

/** Of 0.8.0 only the basics once more, and what is new there. */
const AS_BEFORE = new Set(recordingsOf('0.3.64'));
const BASICS = new Set(['01-success', '06b-progress-previews-with-metadata', '07-interrupt-running']);

/** Recordings of 0.8.0 that show only what a gateway never does or never asks for. */
const NOT_OURS = new Set([
  '25-jobs-api',
  '31-prompt-id-forms',
  '32-origin-and-fetch-metadata',
  '33-upload-too-large',
  '34b-partial-execution-targets-unknown',
  '35-view',
  '38-api-nodes-disabled',
]);

function playedWith(version: Version): string[] {
  const all = recordingsOf(version);
  if (version !== '0.8.0') return all;
  return all.filter((name) => BASICS.has(name) || (!AS_BEFORE.has(name) && !NOT_OURS.has(name)));
}

describe.each(['0.8.0', '0.3.64', '0.3.11'] as const)('recorded with ComfyUI %s', (version: Version) => {
  let stage: Stage | undefined;
  afterEach(() => stage?.close());

  it.each(playedWith(version))('%s', async (name) => {
    const row = ROWS[name] ?? expect.fail(`the recording ${name} has no row`);
    stage = await Stage.open(version, name, row.gateway);
    await row.play(stage);
  });
});

describe('variations', () => {
  let stage: Stage | undefined;
  afterEach(() => stage?.close());

  it.each(['0.3.64', '0.3.11'] as const)(
    '23b without folders of their own: a saved file that is gone is made anew, the cache has no part in it (%s)',
    async (version) => {
      stage = await Stage.open(version, '01-success', { env: { COMFYUI_JOB_FOLDERS: 'false' } });
      await stage.generate(stage.workflow);
      stage.comfy.faults.deleteOutputFile({ filename: 'gw_00001_.png', subfolder: '', type: 'output' });
      const again = await stage.generate(stage.workflow);
      expect(again.attempts).toBe(1);
      expect(await tellPictures(await stage.fetchAll(again))).toEqual(
        await tellPictures(stage.recordedFiles),
      );
      expect(await stage.gateway.files()).toHaveLength(2);
      expect(stage.comfy.requests.map(({ route }) => route)).not.toContain('POST /free');
    },
  );

  it.each(['0.3.64', '0.3.11'] as const)(
    '23b with a preview: a cached file that is gone is made again (%s)',
    async (version) => {
      stage = await Stage.open(version, '01-success');
      const workflow = previewed(stage.workflow);
      await stage.generate(workflow);
      const [viewed] = stage.comfy.requests.filter(({ route }) => route === 'GET /view');
      const filename = viewed?.query['filename'] ?? expect.fail('nothing was fetched');
      stage.comfy.faults.deleteOutputFile({ filename, subfolder: '', type: 'temp' });
      const again = await stage.generate(workflow);
      expect(again.attempts).toBe(2);
      expect(await tellPictures(await stage.fetchAll(again))).toEqual(
        await tellPictures(stage.recordedFiles),
      );
      expect(stage.comfy.requests.map(({ route }) => route)).toContain('POST /free');
    },
  );

  it('24: a late entry is waited for where no event named the output', async () => {
    stage = await Stage.open('0.3.64', '01-success');
    stage.comfy.faults.loseEvents('executed');
    stage.comfy.faults.lateHistory(100);
    const reply = await stage.generate(stage.workflow);
    expect(await color((await stage.fetchAll(reply))[0])).toBe(colorOf(stage.workflow));
  });

  it.each(['0.3.64', '0.3.11'] as const)('02b without a word about cached nodes (%s)', async (version) => {
    stage = await Stage.open(version, '01-success', {}, { replyDelayMs: 0 });
    stage.comfy.faults.loseEvents('executed');
    const reply = await stage.generate(stage.workflow);
    await expectFiles(stage, reply);
    expect(reply.timings['rendering_ms']).toBeLessThan(SILENCE_MS);
  });

  /** Everything is over before the reply to `POST /prompt` comes. */
  async function msOfEarlyRun(version: Version): Promise<number> {
    stage = await Stage.open(version, '01-success', {}, { replyDelayMs: 100 });
    stage.comfy.faults.loseEvents('executed');
    const reply = await stage.generate(stage.workflow);
    await expectFiles(stage, reply);
    return reply.timings['rendering_ms'] ?? 0;
  }

  it('02b, the same, all over before the reply to POST /prompt (0.3.64)', async () => {
    expect(await msOfEarlyRun('0.3.64')).toBeLessThan(SILENCE_MS);
  });

  it('02b, the same, all over before the reply to POST /prompt (0.3.11)', async () => {
    expect(await msOfEarlyRun('0.3.11')).toBeLessThan(SILENCE_MS);
  });
});

it('has no row without a recording', () => {
  const recorded = new Set(
    (['0.8.0', '0.3.64', '0.3.11'] as const).flatMap((version) => recordingsOf(version)),
  );
  expect(Object.keys(ROWS).filter((name) => !recorded.has(name))).toEqual([]);
});
