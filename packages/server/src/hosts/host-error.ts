import { plainText } from '@dstack/contract';
import { errorMessage } from '@dstack/contract/error-message';

/**
 * A host cannot be reached or used. `permanent`: trying again cannot help until somebody changes the
 * host or the fleet. The message says what is wrong and what to do.
 */
export class HostError extends Error {
  override name = 'HostError';
  readonly permanent: boolean;

  constructor(message: string, options: { readonly permanent: boolean; readonly cause?: unknown }) {
    // Part of it may be what the host has printed; it goes to terminals, of other clients too.
    super(plainText(message), { cause: options.cause });
    this.permanent = options.permanent;
  }

  /** The same failure in a text that names the host. */
  about(message: string): HostError {
    return new HostError(message, { permanent: this.permanent, cause: this });
  }
}

/** Any error of bringing an agent to a host; an unknown one may pass. */
export function asHostError(error: unknown): HostError {
  if (error instanceof HostError) return error;
  return temporary(errorMessage(error), error);
}

/** Worth another try. */
export function temporary(message: string, cause?: unknown): HostError {
  return new HostError(message, { permanent: false, cause });
}

/** For a person to settle. */
export function permanent(message: string, cause?: unknown): HostError {
  return new HostError(message, { permanent: true, cause });
}
