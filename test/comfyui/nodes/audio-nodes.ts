import { join } from 'node:path';
import { flacOf, mp3Of, type Silence } from '../media/audio.js';
import type { FolderType } from '../types.js';
import { type NodeClass, type NodeContext, number, text } from './node.js';
import { numbered, saveTarget, temporaryPrefix, write } from './save-nodes.js';

async function saveAudio(
  context: NodeContext,
  type: FolderType & ('output' | 'temp'),
  prefix: string,
  extension: string,
  data: Buffer,
) {
  const target = await saveTarget(context, type, prefix, 1, 1);
  const filename = numbered(target.filename, target.counter, extension);
  await write(join(target.folder, filename), data);
  context.folders.saved(target, target.counter + 1);
  return { ui: { audio: [{ filename, subfolder: target.subfolder, type }] } };
}

const silenceOf = (value: unknown) => value as Silence;

/** Sound that is silent (39a, 39b). */
export const audioNodes: Record<string, NodeClass> = {
  EmptyAudio: {
    run(inputs) {
      const audio: Silence = {
        seconds: number(inputs['duration']),
        sampleRate: number(inputs['sample_rate']),
        channels: number(inputs['channels']),
      };
      return { outputs: [audio] };
    },
  },
  SaveAudio: {
    run: (inputs, context) =>
      saveAudio(
        context,
        'output',
        text(inputs['filename_prefix']),
        'flac',
        flacOf(silenceOf(inputs['audio'])),
      ),
  },
  PreviewAudio: {
    run: (inputs, context) =>
      saveAudio(context, 'temp', temporaryPrefix(context.memory), 'flac', flacOf(silenceOf(inputs['audio']))),
  },
  SaveAudioMP3: {
    run: (inputs, context) =>
      saveAudio(context, 'output', text(inputs['filename_prefix']), 'mp3', mp3Of(silenceOf(inputs['audio']))),
  },
};
