/**
 * Reads the origins of web pages (RFC 6454): `*`, or a list.
 * @returns `*`, or origins as browsers write them
 * @throws Error
 */
export function parseOrigins(text: string): '*' | string[] {
  if (text === '*') return '*';
  return text.split(',').map((part) => {
    const origin = part.trim();
    const url = URL.canParse(origin) ? new URL(origin) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol)) throw new Error('is not a list of origins');
    if (url.origin !== origin.replace(/\/$/, '').toLowerCase()) {
      throw new Error('holds more than scheme, host and port');
    }
    return url.origin;
  });
}
