/** Requests that add one repeat to the budget of their service. */
const PER_REPEAT = 5;

/** More than the requests that one crash of a replica can leave without an answer. */
const BURST = 1000;

/** Far more services than have lost answers recently; beyond this number the budgets start again. */
const MOST = 10_000;

/**
 * How many requests of a service may be sent a second time. A replica that crashes must not cost an answer,
 * but repeats must not double the load of replicas that fail under it: the first `burst` are free, after
 * that there is one for every five requests.
 */
export class RepeatBudget {
  readonly #burst: number;
  /** In requests; only of services that have repeated some recently. */
  readonly #spent = new Map<string, number>();

  constructor(burst: number = BURST) {
    this.#burst = burst;
  }

  /** A request to the service begins. */
  begin(runId: string): void {
    const spent = this.#spent.get(runId);
    if (spent === undefined) return;
    if (spent <= 1) this.#spent.delete(runId);
    else this.#spent.set(runId, spent - 1);
  }

  /** Whether a request may be repeated now. */
  take(runId: string): boolean {
    const spent = (this.#spent.get(runId) ?? 0) + PER_REPEAT;
    if (spent > this.#burst * PER_REPEAT) return false;
    if (this.#spent.size >= MOST) this.#spent.clear();
    this.#spent.set(runId, spent);
    return true;
  }

  /** Services whose budget is not full. */
  get size(): number {
    return this.#spent.size;
  }
}
