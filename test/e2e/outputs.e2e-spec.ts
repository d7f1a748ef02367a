import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toMessages } from '../../src/progress/messages.js';
import { Fleet } from './support/backends.js';
import { Gateway, type Reply } from './support/gateway.js';
import { picture, salt } from './support/workflows.js';

let fleet: Fleet;
beforeEach(async () => {
  fleet = await Fleet.start([{}]);
});
afterEach(() => fleet.stop());

const png = (color: number) =>
  sharp({
    create: { width: 8, height: 8, channels: 3, background: `#${color.toString(16).padStart(6, '0')}` },
  })
    .png()
    .toBuffer();

const file = (extension: string, bytes: Buffer, type = 'output') => ({
  file: extension,
  bytes: bytes.toString('base64'),
  type,
});

/** A node that shows such lists. */
const lists = (content: Record<string, unknown[]>) => ({
  class_type: 'ProbeLists',
  inputs: { lists: JSON.stringify(content), filename_prefix: `lists-${salt()}` },
});

const kinds = ({ outputs }: Reply) => outputs.map(({ node_id, kind }) => [node_id, kind]);
const textsOf = ({ outputs }: Reply) => outputs.map(({ text }) => text);

describe('what a node makes', () => {
  it('is typed by its bytes, then by its name and list; and nothing is dropped', async () => {
    const image = await png(0x33_66_99);
    const latent = Buffer.from('{"latent":1}');
    const reply = await fleet.generate({
      '277': lists({
        text: ['a red fox', '', 'a red fox'],
        images: [file('png', image), file('png', Buffer.from('an error page')), file('exr', latent)],
        animated: [true],
        latents: [file('latent', latent), file('pt', latent)],
        gifs: [file('xyz', latent)],
        score: [0.5, { x: 1 }, null],
        notes: [file('txt', Buffer.from('words')), file('zip', Buffer.from('PK'))],
      }),
    });
    expect(reply.outputs.map(({ kind, filename }) => [kind, filename.replace(/^.*\./, '')])).toEqual([
      ['image', 'png'],
      ['file', 'bin'],
      ['image', 'exr'],
      ['latent', 'latent'],
      ['latent', 'pt'],
      ['video', 'xyz'],
      ['text', 'txt'],
      ['file', 'zip'],
      ['text', 'txt'],
      ['text', 'txt'],
      ['text', 'txt'],
      ['text', 'txt'],
      ['text', 'txt'],
    ]);
    expect(textsOf(reply).slice(8)).toEqual(['a red fox', '', 'a red fox', '0.5', '{"x":1}']);
    expect(reply.outputs.map(({ index }) => index)).toEqual(reply.outputs.map((_, index) => index));
    const fetched = await Promise.all(reply.outputs.slice(8).map(({ url }) => fleet.gateway.fetch(url)));
    expect(fetched.map(({ bytes }) => bytes.toString())).toEqual([
      'a red fox',
      '\n',
      'a red fox',
      '0.5',
      '{"x":1}',
    ]);
    expect(fetched[0]?.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  });

  it('is the same in v2', async () => {
    const workflow = { '5': lists({ text: ['', 'x'], latents: [file('latent', Buffer.from('l'))] }) };
    const job = await runV2({ workflow });
    expect(job.outputs.map(({ type, text }) => [type, text])).toEqual([
      ['latent', undefined],
      ['text', ''],
      ['text', 'x'],
    ]);
  });

  it('is the same in the feeds', async () => {
    const told: unknown[] = [];
    const service = fleet.service;
    service.submitted$.subscribe(({ id }) =>
      service.watch(id).subscribe(({ event }) => {
        if (event?.type === 'output') told.push(...toMessages({ type: 'output', output: event.output }, id));
      }),
    );
    await fleet.generate({ '277': lists({ text: ['words'] }) });
    expect(told).toMatchObject([['output', { node_id: '277', kind: 'text', text: 'words' }]]);
  });

  it('tells short texts in place, long ones by URL only', async () => {
    const long = 'ü'.repeat(10_001);
    const short = 'y'.repeat(10_000);
    const reply = await fleet.generate({ '277': lists({ text: [long, ...Array<string>(11).fill(short)] }) });
    expect(textsOf(reply)).toEqual([undefined, ...Array<string>(10).fill(short), undefined]);
    expect((await fleet.gateway.fetch(reply.url)).bytes.toString()).toBe(long);
  });

  it('may be one empty text: no failure', async () => {
    const reply = await fleet.generate({ '277': lists({ text: [''] }) });
    expect(reply.outputs).toMatchObject([{ kind: 'text', text: '', size: 1 }]);
    const response = await fleet.gateway.post('/api/generate_file', {
      workflow_data: { '277': lists({ text: ['words'] }) },
    });
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      200,
      'text/plain; charset=utf-8',
      'words',
    ]);
  });

  it('may be nothing: then it says so', async () => {
    const problem = await fleet.problem({ '277': lists({ text: [] }) });
    expect(problem).toMatchObject({ status: 422, code: 'no_output' });
  });

  it('is a file rather than a text where nobody says which node', async () => {
    const workflow = { '1': lists({ text: ['first'] }), '2': lists({ images: [file('png', await png(1))] }) };
    const reply = await fleet.gateway.generate({ workflow_data: workflow });
    expect(kinds(reply)).toEqual([['2', 'image']]);
    const texts = await fleet.gateway.generate({
      workflow_data: { '1': lists({ text: ['first'] }), '2': lists({ text: ['second'] }) },
    });
    expect(textsOf(texts)).toEqual(['first']);
  });
});

describe('what a node only shows', () => {
  const both = async () =>
    lists({
      images: [
        file('png', await png(1), 'temp'),
        file('png', await png(2)),
        file('png', await png(3), 'temp'),
      ],
    });
  const colors = (reply: Reply) =>
    Promise.all(reply.outputs.map((output) => fleet.colorOf({ ...reply, url: output.url })));

  it('is left out where something is saved, unless it is asked for', async () => {
    for (const named of [277, undefined]) {
      const workflow_data = { '277': await both() };
      const saved = await fleet.gateway.generate({ workflow_data, output_node_id: named });
      expect(await colors(saved)).toEqual([2]);
      const all = await fleet.gateway.generate({ workflow_data, output_node_id: named, include_temp: true });
      expect(await colors(all)).toEqual([1, 2, 3]);
    }
  });

  it('is what is wanted where nothing is saved', async () => {
    const shown = lists({ text: ['t'], images: [file('png', await png(7), 'temp')] });
    expect(kinds(await fleet.generate({ '277': shown }))).toEqual([
      ['277', 'image'],
      ['277', 'text'],
    ]);
  });

  it('is left out in v2, too, unless it is asked for', async () => {
    const workflow = { '1': { ...picture()['1'] }, '2': shows('PreviewImage'), '3': shows('SaveImage') };
    const nodes = ({ outputs }: V2Job) => outputs.map(({ node_id }) => node_id);
    expect(nodes(await runV2({ workflow }))).toEqual(['3']);
    expect(nodes(await runV2({ workflow, include_temp: true }))).toEqual(['2', '3']);
  });

  it('must be asked for with true or false', async () => {
    const wrong = { workflow_data: picture(), include_temp: 'yes' };
    expect(await fleet.gateway.problem('/api/generate', wrong)).toMatchObject({ code: 'invalid_request' });
  });
});

const shows = (class_type: string) => ({
  class_type,
  inputs: { images: ['1', 0], ...(class_type === 'SaveImage' ? { filename_prefix: 'x' } : {}) },
});

describe('the order', () => {
  /** 20 pictures on two nodes, in two lists each, with texts in between; colours tell their place. */
  async function twenty() {
    const pictures = await Promise.all(Array.from({ length: 20 }, (_, index) => png(index)));
    const files = pictures.map((bytes) => file('png', bytes));
    return {
      '12': lists({ text: ['b'], images: files.slice(10, 15), gifs: files.slice(15) }),
      '3': lists({ gifs: files.slice(0, 4), text: ['a'], images: files.slice(4, 10) }),
    };
  }
  const expected = ['3', '12'].flatMap((node) => [
    ...Array<string>(10).fill(`${node} image`),
    `${node} text`,
  ]);

  /** Each fetch at a pace of its own, so that they end in another order than they began. */
  function unevenly() {
    for (let index = 0; index < 20; index += 1) {
      fleet.at(0).faults.slowView([300, 40_000, 1_500, 9_000][(index * 7) % 4] ?? 1_000, 1);
    }
  }

  it.each([
    ['the events', () => undefined],
    ['the history', () => fleet.at(0).faults.loseEvents('executed')],
    ['each of some', () => fleet.at(0).faults.loseEvents('executed', 1)],
  ])('is that of the nodes and of their lists, told by %s', async (_, trouble) => {
    trouble();
    unevenly();
    const job = await runV2({ workflow: await twenty() });
    expect(job.outputs.map(({ node_id, type }) => `${node_id} ${type}`)).toEqual(expected);
    const fetched = await Promise.all(
      job.outputs.filter(({ type }) => type === 'image').map(({ url }) => fleet.gateway.fetch(url)),
    );
    const blue = async (bytes: Buffer) => (await sharp(bytes).raw().toBuffer()).at(2);
    expect(await Promise.all(fetched.map(({ bytes }) => blue(bytes)))).toEqual(
      Array.from({ length: 20 }, (_unused, index) => index),
    );
  });
});

interface V2Job {
  id: string;
  status: string;
  outputs: { node_id: string; type: string; text?: string; url: string; name: string }[];
}

/** A job of Comfy API v2, once it has succeeded. */
async function runV2(body: Record<string, unknown>, gateway: Gateway = fleet.gateway): Promise<V2Job> {
  const { id } = (await (await gateway.post('/api/v2/jobs', body)).json()) as V2Job;
  let job: V2Job | undefined;
  await expect
    .poll(
      async () => {
        job = (await (await fetch(`${gateway.url}/api/v2/jobs/${id}`)).json()) as V2Job;
        return job.status;
      },
      { interval: 20, timeout: 10_000 },
    )
    .toBe('succeeded');
  return job ?? expect.fail('no job');
}
