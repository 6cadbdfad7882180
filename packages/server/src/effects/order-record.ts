/**
 * The progress of an order of a machine or group, recorded so that the order can be repeated from
 * there.
 */
import { type Backend, NoAnswerError, NoCapacityError, SkipOfferError } from '@dstack/backends';
import { errorMessage } from '@dstack/contract/error-message';
import type { IntentOf, IntentPayload, Offer, Timestamp } from '@dstack/core';
import type { Store } from '@dstack/store';
import { NotNow } from './not-now.ts';

type OrderIntent = IntentOf<'instance.create' | 'group.create'>;

export interface OrderRecord {
  /** Called before each attempt, with its offer and those after it. */
  begin(offers: readonly Offer[]): Promise<void>;
  /**
   * Called before a backend is asked, with the number of those offers: afterwards a machine may
   * appear.
   */
  asking(left: number, backend: Pick<Backend, 'capabilities'>): Promise<void>;
  /** Called before each call to the provider that may create it: the time in doubt begins anew. */
  sending(): Promise<void>;
  /** The attempt with this number of offers left has sent nothing. */
  notSent(left: number): Promise<void>;
  /**
   * Whether an earlier attempt has asked with this number of offers left, and its answer was lost.
   */
  wasAsked(left: number): boolean;
  /** The same, within the time in which an error does not end the order. */
  inDoubt(left: number): boolean;
}

/**
 * For this time after the last call that may have created it, an error of a backend does not end an order in doubt.
 * Later errors count as a final refusal; the sweep finds what may have been created.
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
      // Machines of other owners cost nothing.
      const isPaid = capabilities.owner === 'provider';
      const { untried, ...tried } = { untried: undefined, ...recorded };
      if (isPaid && tried.asked !== left) await record({ ...tried, asked: left });
      else if (untried) await record(tried);
    },
    sending: async () => {
      const known = await store.engine.announcedIntent(key);
      if (!known || !isSameAttempt(known.payload, recorded)) {
        throw new NotNow('the order was withdrawn, or another server carries it out');
      }
      await record(recorded);
    },
    notSent: async (left) => {
      // An earlier attempt may have.
      if (payload.asked === left || recorded.asked !== left) return;
      const { asked, ...rest } = recorded;
      await record(rest);
    },
    wasAsked: (left) => payload.asked === left,
    inDoubt: (left) => payload.asked === left && now() < updatedAt + DOUBT,
  };
}

function isSameAttempt(known: IntentPayload, ours: OrderIntent['payload']): boolean {
  if (known.kind !== ours.kind) return false;
  return known.asked === ours.asked && known.offers.length === ours.offers.length;
}

/**
 * Interprets the error of an order in doubt. An error that occurred before the backend searched for
 * the result of the earlier attempt proves nothing about the order.
 */
export function errorInDoubt(error: unknown): unknown {
  const isAnswer = error instanceof NoCapacityError || error instanceof SkipOfferError;
  if (isAnswer || error instanceof NoAnswerError || error instanceof NotNow) return error;
  const text = `an earlier attempt may have succeeded, and now: ${errorMessage(error)}`;
  return new NoAnswerError(text, { cause: error });
}
