import { Observable, type Subscriber, type Subscription } from 'rxjs';
import { keepNewest } from './keep-newest.js';
import type { PromptMessage, SocketMessage } from './messages.js';

const KEPT_PROMPTS = 32;
const KEPT_MESSAGES = 512;
const KEPT_BYTES = 128 * 1024 * 1024;
const KEPT_MS = 10_000;
const ENDED_PROMPTS = 512;

interface Kept {
  since: number;
  messages: PromptMessage[];
}

/**
 * Hands each message to whoever watches its prompt.
 *
 * What comes for a prompt that nobody watches yet is kept for a moment: servers of 0.3.11 choose the id themselves and
 * send the first events, even all of a short prompt, before the reply that names it (recordings 05a, 08, 13).
 */
export class PromptRouter {
  private readonly watchers = new Map<string, Subscriber<PromptMessage>>();
  private readonly kept = new Map<string, Kept>();
  private readonly ended = new Set<string>();
  /** Prompts of which something was dropped before anybody watched them. */
  private readonly forgotten = new Set<string>();
  private readonly subscription: Subscription;
  private keptBytes = 0;

  constructor(messages$: Observable<SocketMessage>) {
    this.subscription = messages$.subscribe((message) => {
      if ('promptId' in message) this.route(message);
      else if (message.type === 'unreadable') this.tellAll();
    });
  }

  /** Everything about this prompt from its first message on; one watcher at a time. */
  watch(promptId: string): Observable<PromptMessage> {
    return new Observable<PromptMessage>((subscriber) => {
      this.watchers.set(promptId, subscriber);
      const kept = this.drop(promptId);
      for (const message of kept?.messages ?? []) subscriber.next(message);
      return () => {
        if (this.watchers.get(promptId) !== subscriber) return;
        this.watchers.delete(promptId);
        this.remember(promptId);
      };
    });
  }

  /** Is something missing of what came for a prompt that nobody watched yet? */
  hasForgotten(promptId: string): boolean {
    return this.forgotten.has(promptId);
  }

  close(): void {
    this.subscription.unsubscribe();
    this.kept.clear();
    this.keptBytes = 0;
  }

  /** It may have been anybody's. */
  private tellAll(): void {
    for (const [promptId, watcher] of this.watchers) watcher.next({ type: 'unreadable', promptId });
    for (const promptId of this.kept.keys()) this.forget(promptId);
  }

  private route(message: PromptMessage): void {
    const watcher = this.watchers.get(message.promptId);
    if (watcher !== undefined) watcher.next(message);
    else if (!this.ended.has(message.promptId)) this.keep(message);
  }

  private keep(message: PromptMessage): void {
    const now = Date.now();
    for (const [promptId, { since }] of this.kept) {
      if (now - since < KEPT_MS && this.kept.size <= KEPT_PROMPTS && this.keptBytes <= KEPT_BYTES) break;
      this.drop(promptId);
      this.forget(promptId);
    }
    const kept = this.kept.get(message.promptId) ?? { since: now, messages: [] };
    this.kept.set(message.promptId, kept);
    if (message.type === 'progress_state') this.dropProgressState(kept);
    if (kept.messages.length >= KEPT_MESSAGES) return this.forget(message.promptId);
    kept.messages.push(message);
    this.keptBytes += bytesOf(message);
  }

  /** Each one repeats what the one before it said. */
  private dropProgressState({ messages }: Kept): void {
    const index = messages.findIndex(({ type }) => type === 'progress_state');
    for (const message of index === -1 ? [] : messages.splice(index, 1)) this.keptBytes -= bytesOf(message);
  }

  private drop(promptId: string): Kept | undefined {
    const kept = this.kept.get(promptId);
    if (kept === undefined) return undefined;
    this.kept.delete(promptId);
    for (const message of kept.messages) this.keptBytes -= bytesOf(message);
    return kept;
  }

  private forget(promptId: string): void {
    this.forgotten.add(promptId);
    keepNewest(this.forgotten, ENDED_PROMPTS);
  }

  /** The last messages of a prompt come after its watcher has left; they must not be kept for anybody. */
  private remember(promptId: string): void {
    this.ended.add(promptId);
    keepNewest(this.ended, ENDED_PROMPTS);
  }
}

function bytesOf(message: PromptMessage): number {
  if (message.type === 'image') return message.bytes.length;
  return message.type === 'progress_state' ? message.frame.bytes : 0;
}
