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

interface Shared {
  readonly limiter: CallLimiter;
  users: number;
  /** When the last user has left, in milliseconds of the pace. */
  leftAt: number;
}

export class AccountLimiters {
  readonly #options: AccountLimitersOptions;
  readonly #byAccount = new Map<string, Shared>();

  constructor(options: AccountLimitersOptions) {
    this.#options = options;
  }

  /** For a backend that never closes: the account is not forgotten. */
  of(account: string): CallLimiter {
    return this.join(account).limiter;
  }

  /** `leave`: the account is not used any more by the caller. */
  join(account: string): { readonly limiter: CallLimiter; readonly leave: () => void } {
    this.#forget();
    const shared = this.#byAccount.get(account) ?? this.#make(account);
    shared.users++;
    let isUser = true;
    const leave = () => {
      if (!isUser) return;
      isUser = false;
      shared.users--;
      shared.leftAt = this.#options.pace.now();
    };
    return { limiter: shared.limiter, leave };
  }

  /** How many accounts are remembered. */
  get size(): number {
    return this.#byAccount.size;
  }

  #make(account: string): Shared {
    const { facts, ...options } = this.#options;
    const turns = facts && sharedTurns(facts, account, options.rules);
    const made = { limiter: new CallLimiter({ ...options, shared: turns }), users: 0, leftAt: 0 };
    this.#byAccount.set(account, made);
    return made;
  }

  /** Credentials are also tried and replaced. Those that come back soon still have the calls that they made. */
  #forget(): void {
    const { pace, rules } = this.#options;
    const keptMs = 1000 * Math.max(...rules.map(({ seconds }) => seconds));
    for (const [account, { users, leftAt }] of this.#byAccount) {
      if (users === 0 && pace.now() - leftAt > keptMs) this.#byAccount.delete(account);
    }
  }
}
