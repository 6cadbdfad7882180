import { type Backend, BackendError, CredentialsError, type OfferAnswer } from '@dstack/backends';
import { withTimeout } from '@dstack/contract/with-timeout';
import {
  type BackendAnswers,
  type BackendNote,
  type CapacityHints,
  type Id,
  mergeByPrice,
  type Offer,
  type OffersWanted,
} from '@dstack/core';
import type { Logger } from '../process/logging.ts';
import { BackendTimeoutError } from './bounded-backend.ts';
import { capacityHints } from './capacity-hints.ts';
import type { ProjectBackends } from './project-backends.ts';

/**
 * Offers for plans and placement. A backend that fails contributes a note instead of offers, so
 * that one broken account does not hide the offers of the others.
 */
export interface OfferSource {
  /** `limitMs`: how long to wait for each backend; null = as long as backends may take. */
  answer(
    projectId: Id,
    wanted: readonly OffersWanted[],
    limitMs?: number | null,
  ): Promise<BackendAnswers>;
  /** The facts about the project's backends, beside their offers, that placement needs. */
  hints(projectId: Id): Promise<CapacityHints>;
}

export function offerSource(backends: ProjectBackends, log: Logger): OfferSource {
  return {
    hints: async (projectId) => capacityHints(await backends.of(projectId)),
    async answer(projectId, wanted, limitMs = null) {
      if (wanted.length === 0) return { offers: new Map(), notes: [] };
      const configured = await backends.of(projectId);
      const notes = new Map<Backend['name'], BackendNote>();
      const ask = async (backend: Backend, question: OffersWanted): Promise<readonly Offer[]> => {
        try {
          const answer = await within(limitMs, backend, question);
          if (answer.notes.length > 0) {
            const text = together(answer.notes, '; ');
            notes.set(backend.name, { backend: backend.name, rule: 'backend_error', text });
          } else if (answer.closed?.length && !notes.has(backend.name)) {
            // An error of another question is more important.
            const text = `new jobs are kept off ${together(answer.closed.map(shownText), ', ')}`;
            notes.set(backend.name, { backend: backend.name, rule: 'cordoned', text });
          }
          return answer.isRanked === true ? answer.offers : byPrice(answer.offers);
        } catch (error) {
          log.warn({ backend: backend.name, err: error }, 'backend gave no offers');
          notes.set(backend.name, noteOf(backend.name, error));
          return [];
        }
      };
      const answers = wanted.map(async (question) => {
        const asked = configured.filter((backend) => isAsked(question, backend));
        const offers = await Promise.all(asked.map((backend) => ask(backend, question)));
        return [question.key, mergeByPrice(offers)] as const;
      });
      return { offers: new Map(await Promise.all(answers)), notes: [...notes.values()] };
    },
  };
}

const SHOWN_NOTES = 3;

/** The first notes of a backend in one text. */
function together(notes: readonly string[], separator: string): string {
  const more = notes.length - SHOWN_NOTES;
  const shown = [...notes.slice(0, SHOWN_NOTES), ...(more > 0 ? [`and ${more} more`] : [])];
  return shown.join(separator);
}

function isAsked(question: OffersWanted, backend: Backend): boolean {
  return question.backends === null || question.backends.includes(backend.name);
}

async function within(
  limitMs: number | null,
  backend: Backend,
  { requirements }: OffersWanted,
): Promise<OfferAnswer> {
  if (limitMs === null) return await backend.offers(requirements);
  return await withTimeout(() => backend.offers(requirements), {
    ms: limitMs,
    onTimeout: () => {
      throw new BackendTimeoutError(backend.name, 'for offers', limitMs);
    },
  });
}

/** Characters of a provider's message that are shown. */
const SHOWN_LENGTH = 200;

function noteOf(backend: Backend['name'], error: unknown): BackendNote {
  if (error instanceof CredentialsError) {
    return {
      backend,
      rule: 'backend_refused',
      text: `it refuses its credentials: ${shown(error)}`,
    };
  }
  if (error instanceof BackendTimeoutError) {
    const text = `it has not answered within ${error.limitMs / 1000} s`;
    return { backend, rule: 'backend_timeout', text };
  }
  // The message of an internal error is only logged.
  const why = error instanceof BackendError ? `: ${shown(error)}` : ' (see the log of the server)';
  return { backend, rule: 'backend_error', text: `it gave no offers${why}` };
}

const shown = ({ message }: Error): string => shownText(message);

const shownText = (text: string): string => text.replaceAll(/\s+/g, ' ').slice(0, SHOWN_LENGTH);

/** Stable: offers with equal prices keep the order of their backend. */
function byPrice(offers: readonly Offer[]): readonly Offer[] {
  return offers.toSorted((a, b) => a.price - b.price);
}
