/**
 * Limits on calls: all backends of one account in this process share one limiter, which counts their calls
 * together.
 */
import { createHash } from 'node:crypto';
import { CallLimiter, type LimiterOptions } from './call-limiter.ts';

const DIGITS = 16;

/** A name for an account that reveals nothing of its credentials. */
export function accountId(...credentials: readonly string[]): string {
  return createHash('sha256').update(credentials.join('\0')).digest('hex').slice(0, DIGITS);
}

export class AccountLimiters {
  readonly #options: LimiterOptions;
  readonly #byAccount = new Map<string, CallLimiter>();

  constructor(options: LimiterOptions) {
    this.#options = options;
  }

  of(account: string): CallLimiter {
    const known = this.#byAccount.get(account);
    if (known) return known;
    const made = new CallLimiter(this.#options);
    this.#byAccount.set(account, made);
    return made;
  }
}
