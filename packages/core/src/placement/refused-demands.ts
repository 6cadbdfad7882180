/** How gangs of a pass were refused: those that would fare no better are not examined again. */
import type { Refusal } from '@dstack/contract/wire';
import { type CapacityLedger, demandKey } from './place/capacity-ledger.ts';
import type { Ask } from './place/new-capacity.ts';
import { refusalOf } from './place/refusals.ts';
import type { Lack } from './quota/quota-ledger.ts';
import { quotaRefusal } from './quota/refusal.ts';
import type { QueuedGang } from './rank/queue.ts';

export interface RefusedDemand {
  /** Seconds; Infinity = no `max_duration`. */
  readonly limit: number;
  readonly priority: number;
  /** Computed when first needed. */
  readonly reason: () => Refusal;
  /** The quota that is the cause; null = another cause. */
  readonly lack: Lack | null;
}

export class RefusedDemands {
  readonly #ledger: CapacityLedger;
  readonly #ask: Ask;
  readonly #isHolder: (queued: QueuedGang) => boolean;
  /** By demand. */
  readonly #refused = new Map<string, RefusedDemand>();

  constructor(ledger: CapacityLedger, ask: Ask, isHolder: (queued: QueuedGang) => boolean) {
    this.#ledger = ledger;
    this.#ask = ask;
    this.#isHolder = isHolder;
  }

  /** How a gang was refused that would have had a place wherever this one has. */
  of(queued: QueuedGang): RefusedDemand | null {
    const { request } = queued;
    const refused = this.#refused.get(demandKey(this.#ledger, request)) ?? null;
    if (refused === null || this.#ledger.reserved.isEmpty) return refused;
    // Reserved capacity can be used by its holder, by shorter jobs and by those of higher priority.
    const isWorse =
      (request.limit ?? Infinity) >= refused.limit && request.priority <= refused.priority;
    return this.#isHolder(queued) || !isWorse ? null : refused;
  }

  add({ request }: QueuedGang, lack: Lack | null): RefusedDemand {
    let refusal: Refusal | null = lack && quotaRefusal(this.#ledger, request, lack);
    const reason = () => {
      refusal ??= refusalOf(this.#ledger, request, this.#ask);
      return refusal;
    };
    const { limit, priority } = request;
    const refused = { limit: limit ?? Infinity, priority, reason, lack };
    this.#refused.set(demandKey(this.#ledger, request), refused);
    return refused;
  }
}
