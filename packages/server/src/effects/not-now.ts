/** An effect cannot be carried out yet; nothing to log. */
export class NotNow extends Error {
  override name = 'NotNow';
  /** The change of that signals the effect; otherwise it is tried again after a while. */
  readonly isSignalled: boolean;

  constructor(message: string, { isSignalled = false } = {}) {
    super(message);
    this.isSignalled = isSignalled;
  }
}
