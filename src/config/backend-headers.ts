/**
 * Reads `COMFYUI_HEADERS`: header sets separated by `|`, headers in a set by `;`. One set is meant for every server.
 * @throws Error that does not repeat the value
 */
export function parseBackendHeaders(value: string): Record<string, string>[] {
  return value.split('|').map((set) =>
    Object.fromEntries(
      set
        .split(';')
        .map((line) => line.trim())
        .filter(Boolean)
        .map((line) => {
          const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*([\x20-\x7e]*)$/.exec(line);
          if (match?.[1] === undefined) throw new Error('holds a part that is not `Name: value`');
          return [match[1].toLowerCase(), match[2] ?? ''];
        }),
    ),
  );
}
