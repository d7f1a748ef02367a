import type { Readable } from 'node:stream';

/** A server of this installation. */
export interface OwnServer {
  /** A name or an address; `0.0.0.0` and `::` are all addresses of this machine. */
  host: string;
  port: number;
  /** Callers may reach it where it is on the public internet, as they could by themselves: a bucket. @default false */
  publicAllowed?: boolean;
}

/** Which addresses may be called beyond those of the public internet, and which never. */
export interface OutboundRules {
  /**
   * Hosts that may be on a private network: names, `*.` before a domain, addresses, and ranges (`10.1.0.0/16`), each at the port of the
   * scheme, or with `:port` or `:*` behind it (`nas.example.lan:8080`, `[fd12::7]:8080`).
   */
  allowHosts: readonly string[];
  /** Every host may be on a private network, at every port. */
  allowPrivate: boolean;
  /** Servers that callers never reach through this one, whatever else is allowed. Asked at each call: a port may not be known before. */
  ownServers?: (() => readonly OwnServer[]) | undefined;
}

export interface GetOptions {
  /** Bytes that are taken at most: more break the stream off with `too_large`. */
  maxBytes: number;
  /** Milliseconds for all of it, redirects and body included. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

/** An answer of 200 under way; `body` has to be read to its end, or destroyed. Its errors are OutboundErrors. */
export interface Fetched {
  /** Lower-case names; several of one name are joined by commas. */
  headers: Readonly<Record<string, string>>;
  /** Bytes announced. */
  size: number | undefined;
  body: Readable;
}

export interface PostOptions {
  headers: Record<string, string>;
  body: string;
  /** Milliseconds for all of it. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

/** A whole answer to a POST; what its body said nobody looks at. */
export interface Answered {
  status: number;
  /** Lower-case names; several of one name are joined by commas. */
  headers: Readonly<Record<string, string>>;
}

/** Calls URLs that callers name, and nothing that they should not reach through us. */
export abstract class Outbound {
  /**
   * What can be told without a question to anybody: scheme, credentials, literal addresses, names of own servers.
   * @throws OutboundError `not_allowed`
   */
  abstract check(url: string): URL;

  /** @throws OutboundError; the signal's reason */
  abstract get(url: string, options: GetOptions): Promise<Fetched>;

  /**
   * Redirects are not followed. Resolves once the whole answer is there, whatever its status.
   * @throws OutboundError `not_allowed` · `unreachable` · `timeout` · `too_large`, an answer without an end; the signal's reason
   */
  abstract post(url: string, options: PostOptions): Promise<Answered>;

  /** Ends what is under way. */
  abstract close(): Promise<void>;
}
