/**
 * Orders that Crusoe has accepted and may still refuse: it answers with an operation, which fails when nothing is left.
 * They are kept, so that a server that was killed, or another one, gets to know it too.
 */
import type { KeptFacts, SharedFacts } from '../base/kind.ts';
import type { Operation } from './api.ts';

export interface OpenOrder {
  /** The name of the machine, at the provider. */
  readonly name: string;
  /** The id of the machine. */
  readonly id: string;
  readonly operation: string;
  readonly type: string;
  readonly location: string;
  /** Null: it has not failed. */
  readonly failure: OrderFailure | null;
}

export interface OrderFailure {
  /** Empty: there is none. */
  readonly code: string;
  readonly text: string;
}

/** `at`: when it was accepted, in ms since the epoch. */
type KeptOrder = OpenOrder & { readonly at: number };

/** `at`: when it was changed. */
interface Kept {
  readonly at: number;
  readonly orders: readonly KeptOrder[];
  /** Omitted by older versions. */
  readonly ends?: readonly KeptEnd[];
}

/** An operation that has ended. Its order may not be stored yet, by another server. */
interface KeptEnd {
  readonly operation: string;
  /** Null: it has succeeded. */
  readonly failure: OrderFailure | null;
  readonly at: number;
}

/** Whatever is not known by then stays unknown. */
const KEPT_MS = 3_600_000;
const US_PER_MS = 1000;
/** Operations may be those of others in the project. */
const MOST_ENDS = 500;

export interface OpenOrdersOptions {
  readonly facts: SharedFacts & Pick<KeptFacts, 'get'>;
  readonly factKey: string;
}

export class OpenOrders {
  readonly #options: OpenOrdersOptions;

  constructor(options: OpenOrdersOptions) {
    this.#options = options;
  }

  async all(): Promise<readonly OpenOrder[]> {
    return keptIn(await this.#options.facts.get(this.#options.factKey)).orders;
  }

  async add(order: Omit<OpenOrder, 'failure'>): Promise<void> {
    await this.#change(({ orders, ends }, at) => {
      const end = ends.find(({ operation }) => operation === order.operation);
      if (end !== undefined && end.failure === null) return { orders, ends };
      return { orders: [...orders, { ...order, failure: end?.failure ?? null, at }], ends };
    });
  }

  /** Its end was ordered, or it is not there. */
  async forget(id: string): Promise<void> {
    if ((await this.all()).every((order) => order.id !== id)) return;
    await this.#change(({ orders, ends }) => {
      return { orders: orders.filter((order) => order.id !== id), ends };
    });
  }

  /**
   * The orders that are still open, or have failed. `operations`: as the provider reports them, the end of each once
   * or many times.
   */
  async settle(operations: readonly Operation[]): Promise<readonly OpenOrder[]> {
    const kept = keptIn(await this.#options.facts.get(this.#options.factKey));
    if (newEnds(operations, kept.ends).length === 0) return kept.orders;
    return await this.#change(({ orders, ends }, at) => {
      const added = newEnds(operations, ends).map((one) => ({
        ...{ operation: one.operation_id, at },
        failure: one.state === 'FAILED' ? failureOf(one) : null,
      }));
      const endOf = new Map(added.map((end) => [end.operation, end]));
      const settled = orders.flatMap((order) => {
        const end = endOf.get(order.operation);
        if (end === undefined) return [order];
        return end.failure === null ? [] : [{ ...order, failure: end.failure }];
      });
      return { orders: settled, ends: [...ends, ...added].slice(-MOST_ENDS) };
    });
  }

  async #change(change: (kept: AllKept, now: number) => AllKept): Promise<readonly OpenOrder[]> {
    const { facts, factKey } = this.#options;
    return await facts.amend(factKey, (value, time) => {
      const at = time / US_PER_MS;
      // A time ahead of the clock was written by a wrong one.
      const isYoung = (one: { readonly at: number }) => Math.abs(at - one.at) < KEPT_MS;
      const { orders, ends } = keptIn(value);
      const kept = change({ orders: orders.filter(isYoung), ends: ends.filter(isYoung) }, at);
      return { value: JSON.stringify({ at, ...kept } satisfies Kept), result: kept.orders };
    });
  }
}

type AllKept = Required<Omit<Kept, 'at'>>;

function newEnds(operations: readonly Operation[], known: readonly KeptEnd[]): Operation[] {
  const ids = new Set(known.map(({ operation }) => operation));
  return operations.filter(
    ({ state, operation_id: id }) => state !== 'IN_PROGRESS' && !ids.has(id),
  );
}

function failureOf({ result }: Operation): OrderFailure {
  const code = result?.code ?? '';
  return { code, text: result?.message || code || 'the order failed without a reason' };
}

function keptIn(value: string | null): AllKept {
  const { orders, ends = [] } = value === null ? { orders: [] } : (JSON.parse(value) as Kept);
  return { orders, ends };
}
