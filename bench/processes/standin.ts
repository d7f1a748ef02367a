import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { StandinOptions } from '../../test/comfyui/index.js';
import { endChild } from './child.js';

/** A ComfyUI to measure with: the stand-in in a process of its own, or a real one. */
export interface Comfyui {
  url: string;
  close(): Promise<void>;
}

/** Starts the stand-in in a process of its own; it would share our event loop otherwise. */
export async function startStandin(options: StandinOptions): Promise<Comfyui> {
  const script = fileURLToPath(new URL('./standin.child.ts', import.meta.url));
  const child = fork(script, [JSON.stringify({ zeroWork: true, journalSize: 16, ...options })], {
    execArgv: ['--import', 'tsx'],
  });
  const ended = once(child, 'exit').then(() => {
    throw new Error('the stand-in did not start');
  });
  const [url] = (await Promise.race([once(child, 'message'), ended])) as [string];
  ended.catch(() => undefined);
  return { url, close: () => endChild(child) };
}
