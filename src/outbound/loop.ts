/**
 * Marks calls that are made for callers (RFC 8586): where one leads back to this server, or to another one, by a way that no address tells,
 * such as a proxy or a router, it is known for what it is.
 */
export const LOOP_HEADER = 'cdn-loop';
export const LOOP_MARK = 'comfy-sync-server';

/** Has a server like this one made the call for a caller? @param header of `LOOP_HEADER` */
export function isMadeForCaller(header: string | string[] | undefined): boolean {
  return String(header ?? '')
    .split(',')
    .some((entry) => entry.split(';', 1)[0]?.trim().toLowerCase() === LOOP_MARK);
}
