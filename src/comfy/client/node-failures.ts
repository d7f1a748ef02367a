import { type ExecutionFailure } from './messages.js';
import { redact } from './redact.js';

/** As many blocked nodes are told of; a workflow may have hundreds behind one ExecutionBlocker. */
const MAX_BLOCKED = 32;

const BLOCKED_TYPE = 'ExecutionBlocked';
/** How ComfyUI begins the message of an ExecutionBlocker. */
const BLOCKED_PREFIX = /^Execution Blocked: /;

/**
 * What `execution_error` events of one prompt said. An event alone does not tell whether the prompt ended: a node behind an
 * ExecutionBlocker with a message sends one, and the prompt goes on (27b, 27c).
 */
export class NodeFailures {
  private readonly heard: ExecutionFailure[] = [];
  private lastReal: ExecutionFailure | undefined;

  /** @returns whether it may be the end of the prompt */
  add(failure: ExecutionFailure): boolean {
    if (this.heard.length < MAX_BLOCKED) this.heard.push(failure);
    if (failure.exceptionType === BLOCKED_TYPE) return false;
    this.lastReal = failure;
    return true;
  }

  /** The last one that is no ExecutionBlocker: most likely why the prompt ended. */
  get last(): ExecutionFailure | undefined {
    return this.lastReal;
  }

  /** After the prompt went well: the nodes that made nothing, and what they said, without paths. */
  get blocked(): { node: string; nodeType: string; message: string }[] {
    return this.heard.map(({ node, nodeType, exceptionMessage }) => ({
      node,
      nodeType,
      message: redact(exceptionMessage.replace(BLOCKED_PREFIX, '')).trim(),
    }));
  }
}
