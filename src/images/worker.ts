import { writeFile } from 'node:fs/promises';
import { decodeImage } from './decode-image.js';
import { convertImage } from './convert-image.js';
import { ImageError } from './image.error.js';
import { inspectImage } from './inspect-image.js';
import type { Answer, Task } from './tasks.js';

// Started by ImageWorker: does one task at a time, until whoever started it is gone.

// A terminal sends them to everybody; the server still needs this process to end what it has begun.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);

// Where memory runs out, this is what may go, and not the server (Linux).
writeFile('/proc/self/oom_score_adj', '800').catch(() => undefined);

// An orderly end would wait for the encoder, which nothing stops.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

process.on('message', (task: Task) => {
  perform(task).then(
    (result) => reply({ ok: true, result }),
    (error: unknown) =>
      reply({
        ok: false,
        message: error instanceof Error ? error.message : String(error),
        ...(error instanceof ImageError ? { code: error.code } : {}),
      }),
  );
});

function perform(task: Task): Promise<unknown> {
  switch (task.type) {
    case 'inspect':
      return inspectImage(task.path, task.maxPixels);
    case 'decode':
      return decodeImage(task);
    case 'convert':
      return convertImage(task);
  }
}

function reply(answer: Answer): void {
  process.send?.(answer);
}
