/**
 * The server cannot start for a reason that the operator can remove. The message says what, where and what to do; it is logged
 * without a stack, which would hide it.
 */
export class StartError extends Error {
  constructor(message: string) {
    super(message);
    // Nest logs `stack`, and every property of its own, as `name` would be one.
    this.stack = message;
  }
}
