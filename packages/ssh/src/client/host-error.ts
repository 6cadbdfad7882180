import { plainText } from '@dstack/contract';
import { errorMessage } from '@dstack/contract/error-message';

/**
 * A host cannot be reached or used. `permanent`: trying again cannot help until a person changes
 * the host or the fleet. The message contains the problem and the next step.
 */
export class HostError extends Error {
  override name = 'HostError';
  readonly permanent: boolean;

  constructor(message: string, options: { readonly permanent: boolean; readonly cause?: unknown }) {
    // Part of it may be output of the host; it is printed to terminals, of other clients too.
    super(plainText(message), { cause: options.cause });
    this.permanent = options.permanent;
  }

  /** The same failure in a text that names the host. */
  about(message: string): HostError {
    return new HostError(message, { permanent: this.permanent, cause: this });
  }
}

/** An error while an agent is brought to a host; an unknown one may pass. */
export function asHostError(error: unknown): HostError {
  if (error instanceof HostError) return error;
  return temporary(errorMessage(error), error);
}

/** May succeed at another try. */
export function temporary(message: string, cause?: unknown): HostError {
  return new HostError(message, { permanent: false, cause });
}

/** Needs a person to solve it. */
export function permanent(message: string, cause?: unknown): HostError {
  return new HostError(message, { permanent: true, cause });
}
