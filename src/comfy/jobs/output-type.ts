import type { StoredFile } from '../../storage/index.js';

/** What an output is to a person and to a program, on every face. */
export const OUTPUT_TYPES = ['image', 'video', 'audio', 'text', 'latent', 'file'] as const;
export type OutputType = (typeof OUTPUT_TYPES)[number];

/** Files without magic bytes that people make with ComfyUI, by extension. */
const BY_EXTENSION: ReadonlyMap<string, OutputType> = new Map([
  ...'exr hdr tga dds psd pfm ppm pgm pbm'.split(' ').map((extension) => [extension, 'image'] as const),
  ...'mpg mpeg mxf flv wmv'.split(' ').map((extension) => [extension, 'video'] as const),
  ...'aif aiff wma mid midi'.split(' ').map((extension) => [extension, 'audio'] as const),
  ['latent', 'latent'],
]);

/** Lists whose name says what is in them. `images` does not: videos and whatever else the page should show stand there too (14b). */
const BY_LIST: ReadonlyMap<string, OutputType> = new Map([
  ['latents', 'latent'],
  ['audio', 'audio'],
  ['video', 'video'],
  ['videos', 'video'],
  ['gifs', 'video'],
  ['text', 'text'],
]);

/**
 * What a stored file is: its bytes say it, and where they say nothing its extension, then the list it stood in.
 * @param list see `RunOutput`; not known of jobs written down before types were
 */
export function outputTypeOf(
  { key, kind, contentType }: Pick<StoredFile, 'key' | 'kind' | 'contentType'>,
  list?: string,
): OutputType {
  if (contentType.startsWith('text/')) return 'text';
  if (kind !== 'file') return kind;
  const extension = key.slice(key.lastIndexOf('.') + 1);
  const known = BY_EXTENSION.get(extension);
  // Storage calls that `bin` whose bytes are not what the name says.
  if (known !== undefined || extension === 'bin') return known ?? 'file';
  return BY_LIST.get(list ?? '') ?? 'file';
}
