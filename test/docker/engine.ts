import { execFile } from 'node:child_process';

/** How a command ended; `code` is null if it was killed or never ran. */
export interface Ended {
  code: number | null;
  /** stdout, without the line break at its end. */
  output: string;
  /** stderr. */
  messages: string;
}

export interface CommandOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** Milliseconds until it is killed. @default 60000 */
  timeoutMs?: number;
}

/** The Docker command line; `DOCKER` names another one. */
const DOCKER = process.env['DOCKER'] ?? 'docker';

/** Runs `docker …`. Never throws. */
export function docker(args: string[], options: CommandOptions = {}): Promise<Ended> {
  const { cwd, env = {}, timeoutMs: timeout = 60_000 } = options;
  return new Promise((resolve) => {
    const settings = { cwd, env: { ...process.env, ...env }, timeout, maxBuffer: 64 * 1024 * 1024 };
    execFile(DOCKER, args, settings, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
      resolve({ code, output: stdout.trimEnd(), messages: stderr || (error?.message ?? '') });
    });
  });
}

/** Like `docker`, and its output. @throws Error with what it wrote, if it fails */
export async function dockerOk(args: string[], options: CommandOptions = {}): Promise<string> {
  const { code, output, messages } = await docker(args, options);
  if (code !== 0) throw new Error(`docker ${args.join(' ')} ended with ${code}:\n${output}\n${messages}`);
  return output;
}

/** @returns what the tests need and do not find; undefined if all is there */
export async function whatIsMissing(baseImage: string): Promise<string | undefined> {
  const server = await docker(['version', '--format', '{{.Server.Version}}']);
  if (server.code !== 0)
    return `a Docker Engine that answers "${DOCKER} version" (${firstLine(server.messages)})`;
  const compose = await docker(['compose', 'version', '--short']);
  if (compose.code !== 0) return `Docker Compose 2.24 or later (${firstLine(compose.messages)})`;
  const [, major = '0', minor = '0'] = /^v?(\d+)\.(\d+)/.exec(compose.output) ?? [];
  // A build of one's own has no number.
  if (compose.output !== 'dev' && (Number(major) < 2 || (Number(major) === 2 && Number(minor) < 24))) {
    return `Docker Compose 2.24 or later (found ${compose.output})`;
  }
  if ((await docker(['image', 'inspect', baseImage])).code === 0) return undefined;
  const pull = await docker(['pull', '--quiet', baseImage], { timeoutMs: 300_000 });
  if (pull.code === 0) return undefined;
  return `the base image ${baseImage}, or another one in NODE_IMAGE (${firstLine(pull.messages)})`;
}

/** Until the condition gives something. @throws Error that tells what was waited for */
export async function until<T>(
  what: string,
  limitMs: number,
  condition: () => Promise<T | undefined>,
): Promise<T> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const found = await condition();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`not ${what} within ${limitMs / 1_000} s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

const firstLine = (text: string): string => text.trim().split('\n')[0] ?? '';
