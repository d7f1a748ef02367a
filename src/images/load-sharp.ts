import type sharp from 'sharp';

export type Sharp = typeof sharp;

let loaded: Promise<Sharp> | undefined;

/** sharp takes 70 ms and 12 MB to load, which only those pay who use it. */
export function loadSharp(): Promise<Sharp> {
  loaded ??= import('sharp').then(({ default: library }) => {
    // It would keep up to 50 MB, and files open, for the case that the same operation comes again: every file of ours is new.
    library.cache(false);
    return library;
  });
  return loaded;
}
