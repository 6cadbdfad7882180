/**
 * Limits on calls: all backends of one account share one limiter, which counts their calls together, also
 * those of other servers on the same database.
 */
import { createHash } from 'node:crypto';
import type { SharedFacts } from '../kind.ts';
import { CallLimiter, type LimiterOptions } from './call-limiter.ts';
import { sharedTurns } from './shared-turns.ts';

const DIGITS = 16;

/** A name for an account that reveals nothing of its credentials. */
export function accountId(...credentials: readonly string[]): string {
  return createHash('sha256').update(credentials.join('\0')).digest('hex').slice(0, DIGITS);
}

export interface AccountLimitersOptions extends Omit<LimiterOptions, 'shared'> {
  /** Null: no other server uses the accounts. */
  readonly facts: SharedFacts | null;
}

export class AccountLimiters {
  readonly #options: AccountLimitersOptions;
  readonly #byAccount = new Map<string, CallLimiter>();

  constructor(options: AccountLimitersOptions) {
    this.#options = options;
  }

  of(account: string): CallLimiter {
    const known = this.#byAccount.get(account);
    if (known) return known;
    const { facts, ...options } = this.#options;
    const shared = facts && sharedTurns(facts, account, options.rules);
    const made = new CallLimiter({ ...options, shared });
    this.#byAccount.set(account, made);
    return made;
  }
}
