import type { Amounts, Id, QuotaState } from '../../model/index.ts';
import { chargedUser, type Payer } from '../../quotas/accounts.ts';
import { plus, termsAmounts } from '../../quotas/amounts.ts';

/** One quota as it holds for one user, or for all together. */
export interface Account {
  readonly state: QuotaState;
  readonly limit: Amounts;
  used: Amounts;
  /** Resources whose rest is kept for a gang that is ahead. */
  readonly held: Set<string>;
}

/** The need of a claim, beside the present use of a quota; often more than is left. */
export interface Lack {
  readonly account: Account;
  readonly resource: string;
  readonly used: number;
  readonly limit: number;
  readonly needed: number;
}

/**
 * The amounts that the pass can still charge: an account of the ledger beside the capacity. Only claims and holds change
 * it. A gang that does not fit into what a quota leaves holds that rest: gangs behind it that need the same resource
 * wait too, since smaller ones could otherwise keep it from ever fitting. A gang that exceeds the limit by itself holds
 * nothing.
 */
export class QuotaLedger {
  readonly #byProject = new Map<Id, QuotaState[]>();
  readonly #accounts = new Map<string, Account>();
  readonly #limits = new Map<QuotaState, Amounts>();
  #isSuspended = false;

  constructor(states: readonly QuotaState[]) {
    // A quota of a whole project is the better reason, so it comes first.
    const ofProjectsFirst = [...states].sort((a, b) => narrowness(a) - narrowness(b));
    for (const state of ofProjectsFirst) {
      const { projectId } = state.quota;
      this.#byProject.set(projectId, [...(this.#byProject.get(projectId) ?? []), state]);
      this.#limits.set(state, termsAmounts(state.quota.limits));
    }
  }

  /** Whether claims of the project are charged to any quota. */
  concerns({ projectId }: { readonly projectId: Id }): boolean {
    return this.#byProject.has(projectId);
  }

  /** Whether users of the project have quotas of their own, so that equal gangs may differ in what they get. */
  hasUsers(projectId: Id): boolean {
    return this.#byProject.get(projectId)?.some(({ quota }) => quota.userId !== null) === true;
  }

  /** The first quota that does not admit these amounts, beside what is used and held; null = all do. */
  lackFor(payer: Payer, amounts: Amounts): Lack | null {
    if (this.#isSuspended) return null;
    const isLacking = ({ account, resource, used, limit, needed }: Lack) =>
      used + needed > limit || account.held.has(resource);
    return this.usesOf(payer, amounts).find(isLacking) ?? null;
  }

  /** Returns the use of each limit by these amounts. */
  usesOf(payer: Payer, amounts: Amounts): Lack[] {
    return this.#accountsOf(payer).flatMap((account) =>
      Object.entries(account.limit).flatMap(([resource, limit]) => {
        const needed = amounts[resource] ?? 0;
        const used = account.used[resource] ?? 0;
        return needed === 0 ? [] : [{ account, resource, used, limit, needed }];
      }),
    );
  }

  claim(payer: Payer, amounts: Amounts): void {
    for (const account of this.#accountsOf(payer)) account.used = plus(account.used, amounts);
  }

  hold({ account, resource, needed, limit }: Lack): void {
    if (needed <= limit) account.held.add(resource);
  }

  /** Runs a look for places as if there were no quotas. */
  suspended<T>(look: () => T): T {
    this.#isSuspended = true;
    try {
      return look();
    } finally {
      this.#isSuspended = false;
    }
  }

  #accountsOf(payer: Payer): Account[] {
    const states = this.#byProject.get(payer.projectId);
    if (!states) return [];
    return states.flatMap((state) => {
      const user = chargedUser(state.quota, payer);
      return user === null ? [] : [this.#account(state, user)];
    });
  }

  #account(state: QuotaState, user: string): Account {
    const key = `${state.quota.id} ${user}`;
    const known = this.#accounts.get(key);
    if (known) return known;
    const limit = this.#limits.get(state) ?? {};
    const account = { state, limit, used: state.used[user] ?? {}, held: new Set<string>() };
    this.#accounts.set(key, account);
    return account;
  }
}

const narrowness = ({ quota }: QuotaState): number =>
  (quota.userId === null ? 0 : 2) + (quota.fleetId === null ? 0 : 1);
