/** Longest name before its extension, in characters. */
const MAX_STEM = 100;

/** Names that mean a device to Windows, whatever their extension. */
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)$/i;

/**
 * Names for files that lie side by side: what each was called where it was made, as far as every system can write that down, with
 * the extension of what it is; `-2`, `-3` behind a name that is taken, in whatever case.
 */
export function uniqueNames(files: readonly { key: string; name: string }[]): string[] {
  const taken = new Set<string>();
  return files.map(({ key, name }) => {
    const extension = key.slice(key.lastIndexOf('.'));
    const stem = plainStem(name);
    let unique = `${stem}${extension}`;
    for (let count = 2; taken.has(unique.toLowerCase()); count += 1) unique = `${stem}-${count}${extension}`;
    taken.add(unique.toLowerCase());
    return unique;
  });
}

function plainStem(name: string): string {
  const stem = name
    .replace(/\.[^./\\]*$/, '')
    .normalize('NFC')
    .replace(/[^\p{L}\p{M}\p{N} ._()+-]/gu, '_')
    .replace(/^[. ]+|[. ]+$/g, '');
  // By characters, so that none is cut in two.
  const short = Array.from(stem).slice(0, MAX_STEM).join('').trimEnd();
  return short === '' || DEVICE.test(short) ? `_${short}` : short;
}
