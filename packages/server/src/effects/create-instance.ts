import {
  type Backend,
  type InstanceOrder,
  NoAnswerError,
  orderedMachine,
  SkipOfferError,
} from '@dstack/backends';
import { errorMessage } from '@dstack/contract/error-message';
import type { IntentResult, Offer } from '@dstack/core';
import type { Logger } from '../logging.ts';

/** Distinct errors named to the user, and how much of each. */
const SHOWN_ERRORS = 3;
const SHOWN_LENGTH = 200;

export interface CreateInstanceInput {
  readonly offers: readonly Offer[];
  /** Attempts; offers that a backend skips do not count. */
  readonly maxTries: number;
  readonly totalOffers: number;
  readonly order: Omit<InstanceOrder, 'offer'>;
  /** The one site where it may be created; null = at any. */
  readonly where: string | null;
  readonly instanceName: string;
  readonly backend: (offer: Offer) => Promise<Backend | null>;
  /**
   * Called before each attempt with its offer and those after it, to be recorded: if the answer is
   * lost, the order is repeated from this offer on, whatever offers there are by then.
   */
  readonly begin: (offers: readonly Offer[]) => Promise<void>;
  readonly log: Logger;
}

/**
 * Takes the first offer that a backend honours, in the order of the offers. Throws where a backend
 * does not answer: it is to be asked again, and then finds what it has made.
 */
export async function createInstance(input: CreateInstanceInput): Promise<IntentResult> {
  const errors = new Set<string>();
  let tries = 0;
  for (const [at, offer] of input.offers.entries()) {
    if (tries >= input.maxTries) break;
    await input.begin(input.offers.slice(at));
    try {
      const instances = (await input.backend(offer))?.instances;
      if (!instances) throw new SkipOfferError('this server cannot create machines there');
      const created = await instances.create({ ...input.order, offer });
      const provisioningData = created.provisioningData ?? orderedMachine(offer, created.handle.id);
      return { kind: 'instance.created', offer, ...created, provisioningData };
    } catch (error) {
      // The machine may be coming all the same: a second one would be paid for and used by nobody.
      if (error instanceof NoAnswerError) throw error;
      if (!(error instanceof SkipOfferError)) tries++;
      errors.add(describe(offer, error));
      input.log.info({ instance: input.instanceName, err: error }, 'offer not taken');
    }
  }
  return { kind: 'no-capacity', message: failureText(tries, input, errors) };
}

function describe(offer: Offer, error: unknown): string {
  const text = errorMessage(error);
  return `${offer.instance.name} in ${offer.backend}/${offer.region}: ${text.slice(0, SHOWN_LENGTH)}`;
}

function failureText(
  tries: number,
  input: CreateInstanceInput,
  errors: ReadonlySet<string>,
): string {
  if (input.offers.length === 0) {
    return input.where === null
      ? 'No offers found'
      : `No offers found in ${input.where}, where its cluster is`;
  }
  const shown = [...errors].slice(0, SHOWN_ERRORS);
  const more = errors.size > SHOWN_ERRORS ? ` and ${errors.size - SHOWN_ERRORS} more` : '';
  return `All offers failed. Tried ${tries} of ${input.totalOffers} offers: ${shown.join('; ')}${more}`;
}
