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
}

/** Whatever is not known by then stays unknown. */
const KEPT_MS = 3_600_000;
const US_PER_MS = 1000;

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
    return ordersIn(await this.#options.facts.get(this.#options.factKey));
  }

  async add(order: Omit<OpenOrder, 'failure'>): Promise<void> {
    await this.#change((orders, at) => [...orders, { ...order, failure: null, at }]);
  }

  /** Its end was ordered, or it is not there. */
  async forget(id: string): Promise<void> {
    if ((await this.all()).every((order) => order.id !== id)) return;
    await this.#change((orders) => orders.filter((order) => order.id !== id));
  }

  /** The orders that are still open, or have failed. `operations`: as the provider reports them, once. */
  async settle(operations: readonly Operation[]): Promise<readonly OpenOrder[]> {
    const ended = new Map(
      operations.flatMap((one) =>
        one.state === 'IN_PROGRESS' ? [] : [[one.operation_id, one] as const],
      ),
    );
    const known = await this.all();
    if (!known.some(({ operation }) => ended.has(operation))) return known;
    return await this.#change((orders) =>
      orders.flatMap((order) => {
        const found = ended.get(order.operation);
        if (found === undefined) return [order];
        return found.state === 'FAILED' ? [{ ...order, failure: failureOf(found) }] : [];
      }),
    );
  }

  async #change(
    change: (orders: readonly KeptOrder[], now: number) => readonly KeptOrder[],
  ): Promise<readonly OpenOrder[]> {
    const { facts, factKey } = this.#options;
    return await facts.amend(factKey, (value, time) => {
      const at = time / US_PER_MS;
      // A time ahead of the clock was written by a wrong one.
      const young = ordersIn(value).filter((one) => Math.abs(at - one.at) < KEPT_MS);
      const orders = change(young, at);
      return { value: JSON.stringify({ at, orders } satisfies Kept), result: orders };
    });
  }
}

function failureOf({ result }: Operation): OrderFailure {
  const code = result?.code ?? '';
  return { code, text: result?.message || code || 'the order failed without a reason' };
}

function ordersIn(value: string | null): readonly KeptOrder[] {
  return value === null ? [] : (JSON.parse(value) as Kept).orders;
}
