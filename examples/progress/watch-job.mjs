// Runs a workflow and shows its progress in the terminal:
//   node examples/progress/watch-job.mjs [server] [workflow_api.json]
import { readFile } from 'node:fs/promises';
import { io } from 'socket.io-client';

const [server = 'http://127.0.0.1:3000', file] = process.argv.slice(2);

/** Runs on every ComfyUI, also one without any model. */
const ANY = {
  1: { class_type: 'EmptyImage', inputs: { width: 512, height: 512, batch_size: 1, color: 3_381_759 } },
  9: { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: 'example' } },
};
const workflow = file === undefined ? ANY : JSON.parse(await readFile(file, 'utf8'));

// Not to wait for the picture, but to be told where to ask for it.
const response = await fetch(`${server}/api/generate`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', prefer: 'respond-async' },
  body: JSON.stringify({ workflow_data: workflow }),
});
const reply = await response.json();
if (!response.ok) throw new Error(`${reply.code}: ${reply.detail}`);
const { job_id } = reply;
console.log(`Job ${job_id}`);

const socket = io(`${server}/progress`);
// Again after each reconnect: how the job is now comes first, so nothing that matters is missed.
socket.on('connect', () => {
  socket.emit('subscribe', { job_id }, (answer) => {
    if (answer.ok) return;
    console.error(`${answer.error.code}: ${answer.error.message}`);
    process.exitCode = 1;
    socket.close();
  });
});

socket.on('progress', ({ value, class_type, step, steps }) => {
  const where = class_type === null ? '' : `${class_type}${step === null ? '' : ` ${step}/${steps}`}`;
  console.log(`${String(Math.round(value * 100)).padStart(3)} %  ${where}`);
});
socket.on('preview', ({ content_type }, bytes) =>
  console.log(`       preview, ${content_type}, ${bytes.length} bytes`),
);
socket.on('log', ({ message }) => console.log(`       ${message}`));
socket.on('output', ({ url, size }) => console.log(`       ${new URL(url, server).href}, ${size} bytes`));
socket.on('error', ({ code, message }) => console.error(`${code}: ${message}`));
socket.on('status', ({ status, position, ends_in_ms }) => {
  const line = position === null ? '' : `, ${position} before it`;
  const expected = ends_in_ms === null ? '' : `, done in about ${(ends_in_ms / 1_000).toFixed(1)} s`;
  console.log(`       ${status}${line}${expected}`);
  if (!['succeeded', 'failed', 'cancelled'].includes(status)) return;
  process.exitCode = status === 'succeeded' ? 0 : 1;
  socket.close();
});
