/** What has to be remembered could not be written down, or could not be read. */
export class StateError extends Error {
  override readonly name = 'StateError';

  constructor(
    /** For the caller: no paths. */
    message: string,
    cause: unknown,
  ) {
    super(message, { cause });
  }
}
