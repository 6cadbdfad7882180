/** How far an order of a machine or group has come, recorded so that it is repeated from there. */
import { type Backend, NoAnswerError, NoCapacityError, SkipOfferError } from '@dstack/backends';
import { errorMessage } from '@dstack/contract/error-message';
import type { IntentOf, Offer, Timestamp } from '@dstack/core';
import type { Store } from '@dstack/store';
import { NotNow } from './not-now.ts';

type OrderIntent = IntentOf<'instance.create' | 'group.create'>;

export interface OrderRecord {
  /** Before each attempt, with its offer and those after it. */
  begin(offers: readonly Offer[]): Promise<void>;
  /** Before a backend is asked, with the number of those offers: from then on a machine may appear. */
  asking(left: number, backend: Pick<Backend, 'capabilities'>): Promise<void>;
  /** Whether an earlier attempt has asked with so many offers left, and its answer was lost. */
  inDoubt(left: number): boolean;
}

/**
 * For so long after the first attempt an error of a backend does not end an order in doubt. Then the
 * backend seems to refuse it for good; the sweep finds what may have been created.
 */
const DOUBT = 900_000_000;

export function orderRecord(
  { store, now }: { readonly store: Pick<Store, 'engine'>; readonly now: () => Timestamp },
  { key, payload, updatedAt }: OrderIntent,
): OrderRecord {
  let recorded: OrderIntent['payload'] = payload;
  const record = async (next: OrderIntent['payload']): Promise<void> => {
    const isOrdered = await store.engine.amendIntent(key, next);
    if (!isOrdered) throw new NotNow('the order was withdrawn');
    recorded = next;
  };
  return {
    begin: async (offers) => {
      if (offers.length !== recorded.offers.length) await record({ ...recorded, offers });
    },
    asking: async (left, { capabilities }) => {
      // What is made anywhere else costs nothing.
      const isPaid = capabilities.owner === 'provider';
      const { untried, ...tried } = { untried: undefined, ...recorded };
      if (isPaid && tried.asked !== left) await record({ ...tried, asked: left });
      else if (untried) await record(tried);
    },
    inDoubt: (left) => payload.asked === left && now() < updatedAt + DOUBT,
  };
}

/**
 * The error of an order in doubt, as what it says about the order: if the request has not got as far
 * as a search for what the earlier attempt may have made, nothing.
 */
export function errorInDoubt(error: unknown): unknown {
  const isAnswer = error instanceof NoCapacityError || error instanceof SkipOfferError;
  if (isAnswer || error instanceof NoAnswerError || error instanceof NotNow) return error;
  const text = `an earlier attempt may have succeeded, and now: ${errorMessage(error)}`;
  return new NoAnswerError(text, { cause: error });
}
