import type { JobNews } from '../job/job.types.js';
import type { View } from './progress.js';

type StatusNews = Extract<JobNews, { type: 'status' }>;
type ProgressNews = Extract<JobNews, { type: 'progress' }>;

/** What is known of a job, in a few words. It remembers when the server expects the end. */
export class JobDescription {
  private status: StatusNews | undefined;
  private progress: ProgressNews['progress'] | undefined;
  private endsAt: number | undefined;
  private startsAt: number | undefined;

  hear(news: StatusNews | ProgressNews, now = Date.now()): void {
    if (news.type === 'progress') {
      this.progress = news.progress;
      return;
    }
    // What waits again begins anew.
    if (news.status === 'queued') this.progress = undefined;
    this.status = news;
    this.endsAt = news.endsInMs === undefined ? this.endsAt : now + news.endsInMs;
    this.startsAt = news.startsInMs === undefined ? undefined : now + news.startsInMs;
  }

  view(now = Date.now()): View {
    const { status, progress } = this;
    if (status?.status === 'queued') {
      return {
        value: undefined,
        what: [...waiting(status), ...until('begins', this.startsAt, now)].join(', '),
      };
    }
    if (progress === undefined || status?.status === 'storing') {
      const what = status?.status === 'storing' ? 'storing' : 'starting';
      return { value: progress?.value, what };
    }
    const { current_node: node, current_node_class: name, step, steps } = progress;
    const parts = [
      ...(node === null ? [progress.value >= 1 ? 'storing' : 'running'] : [`${name ?? 'node'} (${node})`]),
      ...(step === null || steps === null ? [] : [`step ${step}/${steps}`]),
      ...until('done', this.endsAt, now),
    ];
    return { value: progress.value, what: parts.join(', ') };
  }
}

function waiting({ position }: StatusNews): string[] {
  if (position === undefined) return ['waiting'];
  return [position === 0 ? 'next in line' : `${position} before it in line`];
}

function until(what: string, at: number | undefined, now: number): string[] {
  if (at === undefined) return [];
  const seconds = Math.ceil((at - now) / 1_000);
  return seconds <= 0 ? [] : [`${what} in ${duration(seconds)}`];
}

/** @param seconds whole */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A number of bytes for people. */
export function bytesOf(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes / 1_000;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
