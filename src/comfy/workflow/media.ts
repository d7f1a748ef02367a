import type { NodeInput } from '../comfy.error.js';

/** What a file is that a loader node takes; `file`: anything. */
export type MediaKind = 'image' | 'video' | 'audio' | 'file';

/** An input that names a file by its URL. */
export interface UrlInput extends NodeInput {
  url: string;
}

/** An input of a loader whose file we bring: one of a URL, or an asset. */
export interface MediaInput extends NodeInput {
  /** Undefined: nothing is known of the input, and every file is taken. */
  kind: MediaKind | undefined;
  url?: string;
  /** Id, lower case. */
  asset?: string;
}

/** How bytes are given in place of a file's name. */
export type EmbeddedForm = 'url' | 'data' | 'base64';

/**
 * Inputs of loader nodes that name a file, by class. ComfyUI's own, from `/object_info` of 0.3.64, where the page's upload button
 * marks them (`image_upload`, …), and of extensions that many workflows use. Others are looked up in `/object_info`.
 */
const KNOWN_LOADERS: Readonly<Record<string, Readonly<Record<string, MediaKind>>>> = {
  LoadImage: { image: 'image' },
  LoadImageMask: { image: 'image' },
  LoadImageOutput: { image: 'image' },
  LoadVideo: { file: 'video' },
  LoadAudio: { audio: 'audio' },
  LoadLatent: { latent: 'file' },
  Load3D: { model_file: 'file' },
  Load3DAnimation: { model_file: 'file' },
  VHS_LoadVideo: { video: 'video' },
  VHS_LoadVideoFFmpeg: { video: 'video' },
  VHS_LoadAudioUpload: { audio: 'audio' },
  LoadAndResizeImage: { image: 'image' },
};

/** Fewer characters than any picture has in base64; more than most names of files have. */
const MIN_BASE64 = 64;

/** Characters that are looked at to tell base64 from a name, which has a dot in it as a rule. */
const LOOKED_AT = 4_096;

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
/** RFC 4648, 5. Names have such characters as well, but no more than this. */
const BASE64_URL = /^[A-Za-z0-9_-]+={0,2}$/;
const MAX_NAME = 255;

/** A file may be named by a digest of its bytes alone. */
const DIGEST = /^[0-9a-f]{64,128}$/i;

/** Two letters or more, so that a drive of Windows (`C:\…`) is a path. */
const SCHEME = /^[a-z][a-z0-9+.-]+:/i;

/**
 * Does a value hold a file, or say where one is, rather than name one in ComfyUI's input folder? To be asked of media inputs only:
 * what looks like a URL elsewhere is a text.
 */
export function embeddedForm(value: unknown): EmbeddedForm | undefined {
  if (typeof value !== 'string') return undefined;
  const head = value.slice(0, LOOKED_AT).trimStart();
  if (/^data:/i.test(head)) return 'data';
  if (SCHEME.test(head)) return 'url';
  if (value.length < MIN_BASE64) return undefined;
  const digits = head.replace(/\s+/g, '');
  const base64 = BASE64.test(digits) || (value.length > MAX_NAME && BASE64_URL.test(digits));
  return base64 && !DIGEST.test(value) ? 'base64' : undefined;
}

/** What a well-known loader takes in an input; undefined: the class is not known, or the input names no file. */
export function knownMedia(classType: string, input: string): MediaKind | undefined {
  const inputs = Object.hasOwn(KNOWN_LOADERS, classType) ? KNOWN_LOADERS[classType] : undefined;
  return inputs !== undefined && Object.hasOwn(inputs, input) ? inputs[input] : undefined;
}
