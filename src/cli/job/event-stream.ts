import type { Readable } from 'node:stream';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { Api } from '../http/api.js';
import { networkCode } from '../http/network-error.js';
import type { JobNews, JobProgress } from './job.types.js';

/** The server says something every 15 s. */
const SILENCE_MS = 45_000;

/** Characters of an event: a preview is some ten kilobytes. */
const MAX_EVENT = 32 * 1024 * 1024;

const FINAL = new Set(['succeeded', 'failed', 'canceled', 'expired']);

/** How a connection ended: with the job, before it, or it was no stream of events at all. */
export type StreamEnd = 'job ended' | 'broke' | 'no stream';

/**
 * Reads the events of a job over one connection (`GET /api/v2/jobs/{id}/events`).
 * @throws CliError where the server could not be reached, or refuses
 */
export async function readEvents(
  api: Api,
  job: string,
  tell: (news: JobNews) => void,
  signal: AbortSignal,
): Promise<StreamEnd> {
  const asked = {
    path: `/api/v2/jobs/${encodeURIComponent(job)}/events`,
    headers: { accept: 'text/event-stream' },
    signal,
    silenceMs: SILENCE_MS,
    // There is another way, which is tried long enough.
    retries: 0,
  };
  return api.send(asked, async ({ headers, body }) => {
    const isStream = String(headers['content-type'] ?? '').startsWith('text/event-stream');
    try {
      return isStream ? await readBody(body, tell) : 'no stream';
    } catch (error) {
      signal.throwIfAborted();
      if (networkCode(error) === undefined) throw error;
      return 'broke';
    } finally {
      // What is not read to its end ends with an error, which says nothing new.
      body.on('error', () => {}).destroy();
    }
  });
}

async function readBody(body: Readable, tell: (news: JobNews) => void): Promise<StreamEnd> {
  let ended = false;
  let pending = 0;
  const parser = createParser({
    onEvent: (event) => {
      pending = 0;
      const news = newsOf(event);
      if (news === undefined) return;
      tell(news);
      ended ||= news.type === 'status' && FINAL.has(news.status);
    },
    onComment: () => void (pending = 0),
  });
  const decoder = new TextDecoder();
  for await (const chunk of body as AsyncIterable<Buffer>) {
    const text = decoder.decode(chunk, { stream: true });
    pending += text.length;
    if (pending > MAX_EVENT) return 'no stream';
    parser.feed(text);
    if (ended) return 'job ended';
  }
  return 'broke';
}

/** What an event tells; undefined for one that is not known, or not as it should be. */
function newsOf({ event, data }: EventSourceMessage): JobNews | undefined {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(data) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  switch (event) {
    case 'status':
      return {
        type: 'status',
        status: String(value['status']),
        position: numberOf(value['queue_position']),
        startsInMs: numberOf(value['starts_in_ms']),
        endsInMs: numberOf(value['ends_in_ms']),
      };
    case 'progress':
      return { type: 'progress', progress: value as unknown as JobProgress };
    case 'preview':
      return { type: 'preview', bytes: Buffer.from(String(value['data_base64']), 'base64') };
    case 'log':
      return { type: 'log', level: String(value['level']), message: String(value['message']) };
    default:
      return undefined;
  }
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
