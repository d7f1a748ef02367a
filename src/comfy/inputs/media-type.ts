import type { MediaKind } from '../workflow/index.js';

/** Media types that loaders of a kind take: a video loader also takes animations, an audio loader the sound of a video. */
const TAKEN: Readonly<Record<MediaKind, RegExp>> = {
  image: /^image\//,
  video: /^(video\/|image\/(gif|webp)$)/,
  audio: /^(audio|video)\//,
  file: /./,
};

const WORDS: Readonly<Record<MediaKind, string>> = {
  image: 'an image',
  video: 'a video',
  audio: 'an audio file',
  file: 'a file',
};

/**
 * What is wrong with giving a file of this type, read from its bytes, to an input.
 * @returns the rest of a sentence about it; undefined where nothing is wrong
 */
export function typeMismatch(kind: MediaKind | undefined, contentType: string): string | undefined {
  if (kind === undefined || TAKEN[kind].test(contentType)) return undefined;
  const type = contentType.split(';')[0] ?? contentType;
  const what = type === 'application/octet-stream' ? 'of no type that is known' : type;
  return `must be ${WORDS[kind]}, and its bytes are ${what}`;
}
