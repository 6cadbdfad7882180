/** Asks the backends of the projects of a pool, without letting slow ones delay the other projects. */
import type {
  BackendAnswers,
  BackendSilence,
  CapacityHints,
  Id,
  Offer,
  OffersWanted,
} from '@dstack/core';
import type { OfferSource } from '../offers/offer-source.ts';

/** How long a pass waits for the backends of one of several projects; then it goes on without them. */
const PATIENCE_MS = 500;
/** For how long a late answer may be used: offers and prices change. */
const KEPT_MS = 5000;

export interface AnsweredQuestions {
  readonly offers: ReadonlyMap<string, readonly Offer[]>;
  readonly silence: (projectId: Id) => BackendSilence;
}

/** The questions to one project's backends, and their answers if they were late. */
interface Asked {
  readonly keys: ReadonlySet<string>;
  answers: BackendAnswers | null;
  /** `performance.now()`; null = they are not there yet. */
  answeredAt: number | null;
}

export class PoolAnswers {
  readonly #source: OfferSource;
  readonly #wake: (projectId: Id) => void;
  /** By project: questions that were not answered in time. */
  readonly #late = new Map<Id, Asked>();

  /** `wake`: late answers have come. */
  constructor(source: OfferSource, wake: (projectId: Id) => void) {
    this.#source = source;
    this.#wake = wake;
  }

  async hints(projectIds: readonly Id[]): Promise<ReadonlyMap<Id, CapacityHints>> {
    const entries = projectIds.map(async (id) => [id, await this.#source.hints(id)] as const);
    return new Map(await Promise.all(entries));
  }

  /** `isAlone`: the pool has one project only, so a pass that waits for its backends delays no other. */
  async ask(wanted: readonly OffersWanted[], isAlone: boolean): Promise<AnsweredQuestions> {
    const byProject = Map.groupBy(wanted, ({ projectId }) => projectId ?? '');
    const found = new Map<Id, BackendAnswers | null>();
    const asking = [...byProject].map(async ([projectId, own]) => {
      found.set(projectId, await this.#askProject(projectId, own, isAlone));
    });
    await Promise.all(asking);
    const offers = [...found.values()].flatMap((one) => [...(one?.offers ?? [])]);
    return {
      offers: new Map(offers),
      silence: (projectId) => {
        const answers = found.get(projectId);
        if (answers === undefined) return {};
        return answers === null ? { isUnanswered: true } : { unreachable: answers.notes };
      },
    };
  }

  /** Null: its backends are still being asked; `wake` is called when they have answered. */
  async #askProject(
    projectId: Id,
    wanted: readonly OffersWanted[],
    isAlone: boolean,
  ): Promise<BackendAnswers | null> {
    const late = this.#recent(projectId);
    if (late && wanted.every(({ key }) => late.keys.has(key))) {
      if (late.answers !== null) this.#late.delete(projectId);
      return late.answers;
    }
    const answering = this.#source.answer(projectId, wanted);
    if (isAlone) return await answering;
    const keys = new Set(wanted.map(({ key }) => key));
    const asked: Asked = { keys, answers: null, answeredAt: null };
    const inTime = await this.#inTime(answering);
    if (inTime !== null) return inTime;
    this.#late.set(projectId, asked);
    const keep = (answers: BackendAnswers | null) => {
      if (this.#late.get(projectId) !== asked) return;
      asked.answers = answers;
      asked.answeredAt = performance.now();
      if (answers === null) this.#late.delete(projectId);
      this.#wake(projectId);
    };
    answering.then(keep, () => keep(null));
    return null;
  }

  /** Questions under way, or answered a moment ago. */
  #recent(projectId: Id): Asked | null {
    const late = this.#late.get(projectId);
    const age = performance.now() - (late?.answeredAt ?? Number.POSITIVE_INFINITY);
    if (age > KEPT_MS) this.#late.delete(projectId);
    return this.#late.get(projectId) ?? null;
  }

  async #inTime(answering: Promise<BackendAnswers>): Promise<BackendAnswers | null> {
    const { promise: patience, resolve } = Promise.withResolvers<null>();
    const timer = setTimeout(() => resolve(null), PATIENCE_MS);
    try {
      return await Promise.race([answering, patience]);
    } finally {
      clearTimeout(timer);
    }
  }
}
