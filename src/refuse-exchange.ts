import type { Exchange, Refusal } from './connection/index.js';
import { ProblemException, sendProblem } from './problem/index.js';

/** Seconds after which a body that had no room may be sent again. */
const RETRY_AFTER_S = 5;

const PROBLEMS: Readonly<Record<Refusal, () => ProblemException>> = {
  body_stalled: () =>
    new ProblemException('request_timeout', 'The body arrives too slowly, or not at all. Send it again.'),
  caller_memory: () =>
    new ProblemException(
      'too_many_requests',
      'Too many bytes of unfinished bodies come from this address at once. Send fewer at a time.',
      { retry_after: RETRY_AFTER_S },
    ),
  server_memory: () =>
    new ProblemException(
      'overloaded',
      'Too many bytes of unfinished bodies are held at once. Try again in a moment.',
      { retry_after: RETRY_AFTER_S },
    ),
};

/** Answers a request whose body is not read any further, and closes its connection. */
export function refuseExchange({ request, response }: Exchange, why: Refusal): void {
  if (response.headersSent) {
    request.socket.destroy();
    return;
  }
  response.setHeader('Connection', 'close');
  response.once('finish', () => request.socket.destroySoon());
  sendProblem(PROBLEMS[why](), request, response);
}
