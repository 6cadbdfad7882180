import {
  BusyError,
  NoAnswerError,
  PreparingError,
  RefusedOrderError,
  SkipOfferError,
  TurnError,
} from '@dstack/backends';
import { errorMessage } from '@dstack/contract/error-message';
import type { IntentResult, Offer } from '@dstack/core';
import type { Logger } from '../process/logging.ts';
import { NotNow } from './not-now.ts';
import { errorInDoubt } from './order-record.ts';

/** The number of distinct errors in the message for the user, and the most characters of each. */
const SHOWN_ERRORS = 3;
const SHOWN_LENGTH = 200;
/** The number of offers that are named for one error. */
const SHOWN_OFFERS = 3;

export interface OffersToTry {
  readonly offers: readonly Offer[];
  /** Attempts; offers that a backend skips do not count. */
  readonly maxTries: number;
  readonly totalOffers: number;
  /** The one site where it may be created; null = at any. */
  readonly where: string | null;
  /** The name of the instance or group, for the log. */
  readonly name: string;
  /**
   * Called before each attempt with its offer and those after it, which are recorded: if the answer
   * is lost, the order is repeated from this offer on, even if the present offers differ.
   */
  readonly begin: (offers: readonly Offer[]) => Promise<void>;
  /** See `OrderRecord`. */
  readonly inDoubt: (left: number) => boolean;
  /** See `OrderRecord`. */
  readonly wasAsked: (left: number) => boolean;
  /** See `OrderRecord`. */
  readonly notSent: (left: number) => Promise<void>;
  /** Shows beside the instances that wait why the order is not made yet. */
  readonly show: (text: string) => void;
  readonly log: Logger;
}

/**
 * Takes the first offer that a backend accepts, in the order of the offers. Throws if a backend
 * does not answer: asked again, it finds what it has created.
 */
export async function tryOffers(
  input: OffersToTry,
  attempt: (offer: Offer, left: number) => Promise<IntentResult>,
): Promise<IntentResult> {
  const errors: OfferErrors = new Map();
  const refusing = new Set<string>();
  let tries = 0;
  let shown = 0;
  for (const [at, offer] of input.offers.entries()) {
    if (tries >= input.maxTries) break;
    if (refusing.has(regionOf(offer))) continue;
    const left = input.offers.slice(at);
    await input.begin(left);
    // Offers that fail alike add nothing to the text.
    if (errors.size > shown && errors.size <= SHOWN_ERRORS) {
      shown = errors.size;
      input.show(`trying another offer (${reasonsOf(errors)})`);
    }
    try {
      return await attempt(offer, left.length);
    } catch (cause) {
      if (cause instanceof PreparingError) {
        await input.notSent(left.length);
        if (cause instanceof TurnError || cause.cause instanceof BusyError) {
          input.show(busyText(offer, cause));
        }
        throw new NotNow(cause.message);
      }
      const error = input.inDoubt(left.length) ? errorInDoubt(cause) : cause;
      // The machine may still appear: a second one would cost money and stay unused.
      if (error instanceof NoAnswerError || error instanceof NotNow) throw error;
      if (error instanceof RefusedOrderError) refusing.add(regionOf(offer));
      if (error instanceof RefusedOrderError || !(error instanceof SkipOfferError)) tries++;
      addError(errors, offer, error);
      input.log.info({ name: input.name, err: error }, 'offer not taken');
    }
  }
  return { kind: 'no-capacity', message: failureText(tries, input, errors) };
}

const regionOf = ({ backend, region }: Offer): string => `${backend}/${region}`;

/** The offers that failed alike, by region and error. A region that refuses the order itself has none. */
type OfferErrors = Map<string, string[]>;

function addError(errors: OfferErrors, offer: Offer, error: unknown): void {
  const text = `${regionOf(offer)}: ${errorMessage(error).slice(0, SHOWN_LENGTH)}`;
  const offers = errors.get(text) ?? [];
  if (!(error instanceof RefusedOrderError)) offers.push(offer.instance.name);
  errors.set(text, offers);
}

function describe([text, offers]: readonly [string, readonly string[]]): string {
  const names = [...new Set(offers)];
  if (names.length === 0) return text;
  const more = names.length - SHOWN_OFFERS;
  const shown = names.slice(0, SHOWN_OFFERS).join(', ');
  return `${shown}${more > 0 ? ` and ${more} more` : ''} in ${text}`;
}

/** The same with each attempt, however many are ahead. */
const busyText = ({ backend }: Offer, error: PreparingError): string =>
  error instanceof TurnError
    ? `waits for its turn: the account at ${backend} allows few calls`
    : `waits until ${backend} takes orders again`;

const reasonsOf = (errors: OfferErrors): string =>
  [...errors].slice(0, SHOWN_ERRORS).map(describe).join('; ');

function failureText(tries: number, input: OffersToTry, errors: OfferErrors): string {
  if (input.offers.length === 0) {
    return input.where === null
      ? 'No offers found'
      : `No offers found in ${input.where}, where its cluster is`;
  }
  const more = errors.size > SHOWN_ERRORS ? ` and ${errors.size - SHOWN_ERRORS} more` : '';
  return `All offers failed. Tried ${tries} of ${input.totalOffers} offers: ${reasonsOf(errors)}${more}`;
}
