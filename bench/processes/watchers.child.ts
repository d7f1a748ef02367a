import { Agent, request } from 'undici';
import { io } from 'socket.io-client';

/** What the children of `Watchers` are told, and what they tell. */
const [url = '', transport = '', job = '', wanted = '0'] = process.argv.slice(2);
const count = Number(wanted);

let connected = 0;
let ended = 0;
let previews = 0;
const tell = () => {
  if (process.connected) process.send?.({ connected, ended, previews });
};
const telling = setInterval(tell, 100);

/** Reads until the server ends the stream. */
async function overSse(agent: Agent): Promise<void> {
  const { body } = await request(`${url}/api/v2/jobs/${job}/events`, { dispatcher: agent });
  let tail = '';
  let heard = false;
  for await (const chunk of body) {
    if (!heard) connected += 1;
    heard = true;
    const text = (chunk as Buffer).toString('latin1');
    previews += text.split('event: preview').length - 1;
    tail = (tail + text).slice(-300);
  }
  if (tail.includes('"status":"succeeded"')) ended += 1;
}

function overSocketIo(): Promise<void> {
  return new Promise((resolve) => {
    const socket = io(`${url}/progress`, { transports: ['websocket'], forceNew: true });
    socket.on('connect', () => socket.emit('subscribe', { job_id: job }, () => void (connected += 1)));
    socket.on('preview', () => void (previews += 1));
    socket.on('status', ({ status }: { status: string }) => {
      if (status !== 'succeeded') return;
      ended += 1;
      socket.close();
      resolve();
    });
  });
}

const agent = new Agent({ connections: count, bodyTimeout: 0, headersTimeout: 0 });
process.once('disconnect', () => process.exit(0));
process.on('SIGINT', () => undefined);
await Promise.all(
  Array.from({ length: count }, async (_, index) => {
    // The system's own line for new connections is short.
    await new Promise((resolve) => setTimeout(resolve, index * 2));
    await (transport === 'sse' ? overSse(agent) : overSocketIo());
  }),
);
clearInterval(telling);
tell();
await agent.close();
process.disconnect();
