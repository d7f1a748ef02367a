import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { lastValueFrom, type Observable, takeUntil } from 'rxjs';
import { BackendError, type ComfyClient } from '../client/index.js';
import { ComfyError, type ComfyErrorCode } from '../comfy.error.js';
import type { Workflow } from '../workflow/index.js';
import type { CircuitRules } from './circuit.js';
import { withDeadlines } from './deadlines.js';

/** `prompt`: does it take a prompt, compute on its device, and answer? `disk`: can it write files? */
export type CheckKind = 'prompt' | 'disk';

/** `unknown`: the check could not be made, which says nothing. `broken`: what is wrong, in our own words. */
export type CheckResult = { is: 'works' } | { is: 'unknown' } | { is: 'broken'; message: string };

export interface CheckContext {
  client: Pick<ComfyClient, 'run' | 'upload' | 'forget'>;
  /** Has it nodes of this class? */
  knows: (className: string) => Promise<boolean>;
  /** Is it connected? */
  connected: () => boolean;
  /** Does it run a prompt of ours? Ours waits behind that. */
  busy: () => boolean;
  /** Ids of the prompts of checks, which no job follows. */
  prompts: Set<string>;
  rules: Pick<CircuitRules, 'checkPauseMs' | 'probeBytes'>;
  /** Milliseconds that a check waits for the prompt that runs. */
  beginMs: number;
  closing: Observable<void>;
}

/** Milliseconds from ComfyUI's beginning with the prompt to its end: it needs a moment, or the start of the device. */
const RUN_MS = 60_000;

/** Milliseconds for each upload. */
const UPLOAD_MS = 60_000;

/** Bytes that are written where a proxy does not take more: nginx takes 1 MiB by default. */
const SMALL_PROBE_BYTES = 900 * 1024;

const WORKS: CheckResult = { is: 'works' };
const UNKNOWN: CheckResult = { is: 'unknown' };

/** What the end of our own prompt means, where the words for a job's do not fit. */
const WORDS: Partial<Record<ComfyErrorCode, string>> = {
  no_backend: 'it did not take the prompt.',
  backend_lost: 'it took the prompt and lost it.',
  job_stalled: 'it does not run the prompt.',
  job_timeout: `it did not finish the prompt within ${RUN_MS / 1_000} s.`,
};

function broken(what: string): CheckResult {
  return { is: 'broken', message: `Its health check failed: ${what}` };
}

/** Our own questions to a backend. No caller has a part in them, so their answers are facts about the backend. */
export class HealthCheck {
  /** The one that has not begun yet; whoever asks meanwhile gets its answer. */
  private readonly next = new Map<CheckKind, Promise<CheckResult>>();
  private readonly current = new Map<CheckKind, Promise<unknown>>();

  constructor(private readonly context: CheckContext) {}

  /** One check of a kind at a time, which begins after the call. Never rejects. */
  ask(kind: CheckKind): Promise<CheckResult> {
    const waiting = this.next.get(kind);
    if (waiting !== undefined) return waiting;
    const asked = (this.current.get(kind) ?? Promise.resolve()).then(() => {
      this.next.delete(kind);
      const result = kind === 'prompt' ? this.prompt() : this.disk();
      this.current.set(
        kind,
        result.then(() => sleep(this.context.rules.checkPauseMs, undefined, { ref: false })),
      );
      return result;
    });
    this.next.set(kind, asked);
    return asked;
  }

  private async prompt(): Promise<CheckResult> {
    const { client, connected, busy, knows, prompts, beginMs, closing } = this.context;
    if (!connected()) return UNKNOWN;
    const promptId = randomUUID();
    prompts.add(promptId);
    try {
      const workflow = checkWorkflow(await knows('ImageBlur').catch(() => false));
      await lastValueFrom(
        client
          .run({ promptId, workflow, front: true })
          .pipe(withDeadlines({ jobMs: RUN_MS, stallMs: RUN_MS }, beginMs), takeUntil(closing)),
        { defaultValue: undefined },
      );
      return WORKS;
    } catch (error) {
      if (!connected() || !(error instanceof ComfyError)) return UNKNOWN;
      switch (error.code) {
        case 'invalid_workflow':
        case 'interrupted':
          return UNKNOWN;
        default:
          if (error.reason === 'struck' || (error.reason === 'not_begun' && busy())) return UNKNOWN;
          return broken(WORDS[error.code] ?? error.message);
      }
    } finally {
      prompts.delete(promptId);
      client.forget(promptId);
    }
  }

  /** Writes a file over HTTP, in the same process and to the same folders as nodes do, and without a place in the queue. */
  private async disk(): Promise<CheckResult> {
    for (const type of ['output', 'temp', 'input'] as const) {
      const result = await this.write(type);
      if (result.is !== 'works') return result;
    }
    return WORKS;
  }

  private async write(type: 'input' | 'output' | 'temp'): Promise<CheckResult> {
    if (!this.context.connected()) return UNKNOWN;
    try {
      for (const size of [this.context.rules.probeBytes, SMALL_PROBE_BYTES]) {
        try {
          await this.upload(type, await promisify(randomBytes)(size));
          return WORKS;
        } catch (error) {
          if (!(error instanceof BackendError) || error.status !== 413) throw error;
        }
      }
      return UNKNOWN;
    } catch (error) {
      // ComfyUI answers so when it cannot write; whatever else is wrong shows elsewhere.
      return error instanceof BackendError && error.status === 500
        ? broken(`it cannot write files to its ${type} folder.`)
        : UNKNOWN;
    } finally {
      // It gives the space back; where even this fails there is none to give.
      await this.upload(type, Buffer.from('.')).catch(() => undefined);
    }
  }

  private async upload(type: 'input' | 'output' | 'temp', bytes: Buffer): Promise<void> {
    await this.context.client.upload(
      {
        name: 'check.bin',
        subfolder: 'sync/check',
        type,
        overwrite: true,
        size: bytes.length,
        body: Readable.from([bytes], { objectMode: false }),
      },
      AbortSignal.timeout(UPLOAD_MS),
    );
  }
}

/**
 * Computes on the device, where the class exists that does so without a model, and shows the picture as a temporary file. The colour is
 * another one each time, so that nothing comes from the cache.
 */
function checkWorkflow(blurs: boolean): Workflow {
  return {
    '1': {
      class_type: 'EmptyImage',
      inputs: { width: 64, height: 64, batch_size: 1, color: randomInt(2 ** 24) },
    },
    ...(blurs
      ? { '2': { class_type: 'ImageBlur', inputs: { image: ['1', 0], blur_radius: 1, sigma: 1 } } }
      : {}),
    '3': { class_type: 'PreviewImage', inputs: { images: [blurs ? '2' : '1', 0] } },
  };
}
