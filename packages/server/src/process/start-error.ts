/** The server cannot start. Message and next step are for the user who started it. */
export class StartError extends Error {
  override name = 'StartError';
  readonly next: string | null;

  constructor(message: string, options: { readonly next?: string; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.next = options.next ?? null;
  }
}
