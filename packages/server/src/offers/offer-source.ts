import type { Backend } from '@dstack/backends';
import type { BackendOffers, Id, Offer, OffersWanted } from '@dstack/core';
import type { Logger } from '../logging.ts';
import type { ProjectBackends } from './project-backends.ts';

/** Answers the questions of plans and placement; a backend that fails offers nothing, and says so. */
export interface OfferSource {
  answer(projectId: Id, wanted: readonly OffersWanted[]): Promise<BackendOffers>;
  /** Whether some backend of the project has to be asked from time to time; see `Backend`. */
  hasSilentBackends(projectId: Id): Promise<boolean>;
}

export function offerSource(backends: ProjectBackends, log: Logger): OfferSource {
  return {
    async hasSilentBackends(projectId) {
      const configured = await backends.of(projectId);
      return configured.some((backend) => backend.compute !== null && !backend.signalsCapacity);
    },
    async answer(projectId, wanted) {
      if (wanted.length === 0) return new Map();
      const configured = await backends.of(projectId);
      const answers = wanted.map(async (question) => {
        const asked = configured.filter((backend) => isAsked(question, backend));
        const offers = await Promise.all(asked.map((backend) => ask(backend, question, log)));
        return [question.key, mergedByPrice(offers)] as const;
      });
      return new Map(await Promise.all(answers));
    },
  };
}

function isAsked(question: OffersWanted, backend: Backend): boolean {
  return question.backends === null || question.backends.includes(backend.name);
}

async function ask(
  backend: Backend,
  question: OffersWanted,
  log: Logger,
): Promise<readonly Offer[]> {
  try {
    return await backend.offers(question.requirements);
  } catch (error) {
    // One broken account must not hide what the others have.
    log.warn({ backend: backend.name, err: error }, 'backend gave no offers');
    return [];
  }
}

/** Stable: what costs the same keeps the order in which its backend named it. */
function mergedByPrice(lists: readonly (readonly Offer[])[]): Offer[] {
  return lists.flat().sort((a, b) => a.price - b.price);
}
