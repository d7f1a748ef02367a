/** Who is called: what decides besides the address. */
export interface Target {
  /** As a URL has it: a name, or an address in its usual notation, with brackets around IPv6. */
  hostname: string;
  port: number;
  /** By TLS: whoever answers has to have a certificate for the name. */
  secure: boolean;
}

/** @param port empty: that of the scheme */
export function targetOf({
  hostname,
  port,
  protocol,
}: {
  hostname: string;
  port?: string | undefined;
  protocol: string;
}): Target {
  const secure = protocol === 'https:';
  return { hostname, port: port === undefined || port === '' ? portOf(secure) : Number(port), secure };
}

/** The port of a scheme. */
export function portOf(secure: boolean): number {
  return secure ? 443 : 80;
}

/** Lower case, without brackets and the dot at the end. */
export function bare(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}
