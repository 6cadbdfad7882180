/** The job cannot continue. `reason` is a termination reason of the wire. */
export class JobFailure extends Error {
  readonly reason: string;

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
