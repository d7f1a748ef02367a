import { describe, expect, it } from 'vitest';
import { Names } from './conformance/names.js';
import { readRecording, recordingsOf } from './conformance/recording.js';
import { type Difference, Replay, SMALL_LIMIT } from './conformance/replay.js';
import { TOLERATED } from './conformance/tolerated.js';
import type { Version } from './dialect.js';
import { eventually } from './spec-client.js';
import { ComfyStandin, type StandinOptions } from './index.js';

/** Recordings that go on where others ended, and so share a server. */
const SEQUELS: readonly (readonly string[])[] = [
  ['02a-first', '02b-cached-rerun'],
  ['11-client-chosen-prompt-id', '11b-same-prompt-id-again'],
  ['17-node-expansion', '18-server-info'],
  ['19a-txt2img-cold', '19b-txt2img-warm', '19c-txt2img-legacy-client'],
  ['23a-before', '23b-cached-output-whose-file-is-gone'],
  ['39a-audio-flac-and-preview', '39b-audio-mp3'],
];

/** Recordings whose output nodes came out of Python's set the other way round. */
const REVERSED: ReadonlySet<string> = new Set(['37-async-nodes-side-by-side', '39a-audio-flac-and-preview']);

/** How the recorded server was started, where it matters. */
const OPTIONS: Readonly<Record<string, StandinOptions>> = {
  '33-upload-too-large': { maxUploadSize: SMALL_LIMIT },
  '38-api-nodes-disabled': { apiNodesDisabled: true },
};

/** Recorded when the same prompt had run before. */
const PRIMED: ReadonlySet<string> = new Set(['41-preview-any']);

function groupsOf(version: Version): string[][] {
  const all = recordingsOf(version);
  const groups = SEQUELS.map((group) => group.filter((name) => all.includes(name)));
  const single = all.filter((name) => !groups.flat().includes(name)).map((name) => [name]);
  return [...groups, ...single].filter((group) => group.length > 0);
}

async function replay(
  version: Version,
  group: readonly string[],
  { speaksAs = version, patience = 5000 }: { speaksAs?: Version; patience?: number } = {},
): Promise<(Difference & { recording: string })[]> {
  const reversed = group.some((recording) => REVERSED.has(recording));
  const comfy = await ComfyStandin.start({
    version: speaksAs,
    ...OPTIONS[group[0] ?? ''],
    ...(reversed ? { outputOrder: 'descending' as const } : {}),
  });
  const names = new Names();
  const found: (Difference & { recording: string })[] = [];
  try {
    for (const recording of group) {
      if (PRIMED.has(recording)) await runOnce(comfy, version, recording);
      if (recording.startsWith('23b')) {
        comfy.faults.deleteOutputFile({ filename: 'gone_00001_.png', subfolder: '', type: 'output' });
      }
      const differences = await new Replay(comfy, readRecording(version, recording), names, patience).run();
      found.push(...differences.map((difference) => ({ ...difference, recording })));
    }
    return found;
  } finally {
    await comfy.stop();
  }
}

/** Runs the first prompt of a recording. */
async function runOnce(comfy: ComfyStandin, version: Version, recording: string): Promise<void> {
  const { body } = readRecording(version, recording).find(({ path }) => path === '/prompt') ?? {};
  const first = { prompt: body?.['prompt'] };
  await fetch(`${comfy.url}/prompt`, { method: 'POST', body: JSON.stringify(first) });
  await eventually(() => comfy.history.size > 0 && comfy.queue.running.length === 0);
}

for (const version of ['0.8.0', '0.3.64', '0.3.11'] as const) {
  describe.concurrent(`the stand-in as ComfyUI ${version}`, () => {
    // Some recordings act at a moment, as 09 does between two steps: a machine that stalls just then may try again.
    it.each(groupsOf(version))(
      'does what was recorded in %s',
      { timeout: 30_000, retry: 2 },
      async (...group) => {
        const found = await replay(version, group);
        const mine = TOLERATED.filter((each) => each.version === version && group.includes(each.recording));
        const isTolerated = ({ recording, where }: { recording: string; where: string }) =>
          mine.some((each) => each.recording === recording && each.where === where);
        expect(found.filter((difference) => !isTolerated(difference))).toEqual([]);
        const dead = mine.filter(({ recording, where }) =>
          found.every((difference) => difference.recording !== recording || difference.where !== where),
        );
        expect(dead, 'tolerated, but no longer different').toEqual([]);
      },
    );
  });
}

describe('the comparison', () => {
  it('notices a stand-in that speaks as the other version', async () => {
    const places = async (recording: string) =>
      (await replay('0.3.64', [recording], { speaksAs: '0.3.11', patience: 150 })).map(({ where }) => where);
    expect(await places('06b-progress-previews-with-metadata')).toContain('socket a events');
    expect(await places('11-client-chosen-prompt-id')).toContain('POST /prompt uses the chosen id');
    expect(await places('04-validation-errors')).toContain('POST /prompt body');
  }, 20_000);
});
