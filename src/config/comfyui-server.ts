/** Where one ComfyUI is, and what a proxy in front of it wants to see. */
export interface BackendAddress {
  /** For people and logs: `host:port/base`, without credentials. */
  name: string;
  /** `http(s)://host[:port][/base]`, no trailing slash. */
  url: string;
  /** Sent with every request and with the WebSocket handshake. */
  headers: Record<string, string>;
  /** Added to every URL, that of the WebSocket too. */
  query: Record<string, string>;
}

export const COMFYUI_SERVER_ACCEPTS =
  'host:port, [ipv6]:port or http(s)://host/base/path; several separated by commas';

/**
 * Reads one entry of `COMFYUI_SERVER`. The port defaults to 8188 where no scheme is given, else to the scheme's own.
 * A query string becomes part of every request: `https://gpu.example.com/comfy?token=…`.
 * @throws Error saying what is wrong with it; never repeats credentials
 */
export function parseComfyuiServer(entry: string): BackendAddress {
  const text = entry.trim();
  if (text === '') throw new Error('is empty');
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https') {
    throw new Error(`has the scheme ${scheme}://, only http:// and https:// are known`);
  }
  // A bare IPv6 address has no port and no brackets: `::1`.
  const authority =
    scheme === undefined && /^[0-9a-f:.%]*:[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text) ? `[${text}]` : text;
  let url: URL;
  try {
    url = new URL(scheme === undefined ? `http://${authority}` : authority);
  } catch {
    throw new Error('is not a host and port, nor a URL');
  }
  if (scheme === undefined && url.port === '' && !/:80(?![0-9])/.test(authority)) url.port = '8188';
  if (url.hash !== '') throw new Error('has a # part, which means nothing here');
  const headers: Record<string, string> = {};
  if (url.username !== '' || url.password !== '') {
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers['authorization'] = `Basic ${Buffer.from(credentials).toString('base64')}`;
  }
  const base = url.pathname.replace(/\/+$/, '');
  return {
    name: `${url.host === '' ? url.hostname : url.host}${base}`,
    url: `${url.origin}${base}`,
    headers,
    query: Object.fromEntries(url.searchParams),
  };
}
