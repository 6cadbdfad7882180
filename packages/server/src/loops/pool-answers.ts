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

/** Questions to one project's backends that were asked together, and their answers if they were late. */
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
  readonly #late = new Map<Id, readonly Asked[]>();

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
        if (answers === null) return { isUnanswered: true };
        return { unreachable: answers.notes.filter(({ rule }) => rule !== 'cordoned') };
      },
    };
  }

  /**
   * Null: its backends are still being asked; `wake` is called when they have answered. New questions
   * are asked beside those under way, so that they do not put off their answers.
   */
  async #askProject(
    projectId: Id,
    wanted: readonly OffersWanted[],
    isAlone: boolean,
  ): Promise<BackendAnswers | null> {
    const known = this.#recent(projectId).filter(({ keys }) =>
      wanted.some(({ key }) => keys.has(key)),
    );
    const missing = wanted.filter(({ key }) => !known.some(({ keys }) => keys.has(key)));
    const fresh = missing.length === 0 ? [] : [await this.#askNow(projectId, missing, isAlone)];
    const all = [...known, ...fresh];
    const answers = all.flatMap((one) => one.answers ?? []);
    if (answers.length < all.length) return null;
    this.#change(projectId, (late) => late.filter((one) => !all.includes(one)));
    return {
      offers: new Map(answers.flatMap(({ offers }) => [...offers])),
      notes: answers.flatMap(({ notes }) => notes),
    };
  }

  /** Waits for a moment, or for as long as it takes; what is late is kept when it comes. */
  async #askNow(projectId: Id, wanted: readonly OffersWanted[], isAlone: boolean): Promise<Asked> {
    const keys = new Set(wanted.map(({ key }) => key));
    const asked: Asked = { keys, answers: null, answeredAt: null };
    const answer = (answers: BackendAnswers) => {
      asked.answers = answers;
      asked.answeredAt = performance.now();
    };
    const answering = this.#source.answer(projectId, wanted);
    const inTime = isAlone ? await answering : await this.#inTime(answering);
    this.#change(projectId, (late) => [...late, asked]);
    if (inTime !== null) {
      answer(inTime);
      return asked;
    }
    const failed = () => this.#change(projectId, (late) => late.filter((one) => one !== asked));
    answering.then(answer, failed).then(() => this.#wake(projectId));
    return asked;
  }

  /** Questions under way, or answered a moment ago. */
  #recent(projectId: Id): readonly Asked[] {
    const oldest = performance.now() - KEPT_MS;
    this.#change(projectId, (late) =>
      late.filter(({ answeredAt }) => answeredAt === null || answeredAt >= oldest),
    );
    return this.#late.get(projectId) ?? [];
  }

  #change(projectId: Id, change: (late: readonly Asked[]) => readonly Asked[]): void {
    const late = change(this.#late.get(projectId) ?? []);
    if (late.length > 0) this.#late.set(projectId, late);
    else this.#late.delete(projectId);
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
