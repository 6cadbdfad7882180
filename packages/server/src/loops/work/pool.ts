import {
  place,
  type Timestamp,
  wantsBackendOffers,
  withBackends,
  withPastTimes,
} from '@dstack/core';
import type { LoadedPool } from '@dstack/store';
import type { WorkEnding } from '../../queues/work-queue.ts';
import { applyDecision } from '../apply-decision.ts';
import { PoolAnswers } from '../pool-answers.ts';
import type { WorkDeps, WorkDescriptor } from './descriptor.ts';

/**
 * Places the waiting work of a pool. Backends are asked between reading and deciding; the guarded
 * write refuses a decision if a record has changed meanwhile.
 */
export const pool: WorkDescriptor<'pool'> = {
  kind: 'pool',
  queues: { pool: 2 },
  lease: 'pool',
  schedule: null,
  work: (deps) => {
    const stages = new PoolStages(deps);
    return (id) => passOf(stages, id);
  },
};

async function passOf(stages: PoolStages, id: string): Promise<WorkEnding> {
  const loaded = await stages.reading(id);
  if (loaded === null) return { ending: 'done' };
  const dated = stages.pastTimes(loaded);
  const answered = await stages.questions(dated);
  return await stages.writing(id, loaded, stages.deciding(answered));
}

type Answered = Awaited<ReturnType<PoolStages['questions']>>;

class PoolStages {
  readonly #deps: WorkDeps;
  readonly #answers: PoolAnswers;
  /** When the passes of pools are due. */
  readonly #dues = new Map<string, Timestamp>();

  constructor(deps: WorkDeps) {
    this.#deps = deps;
    this.#answers = new PoolAnswers(deps.offers, (id) => deps.wake({ kind: 'placement', id }));
  }

  /** Null: nothing waits in the pool, or it does not exist any more. */
  async reading(id: string): Promise<LoadedPool | null> {
    const { store, context, examined } = this.#deps;
    const what = examined(id);
    const withClaims = context().settings.preemption?.mode === 'priority';
    const loaded = await store.engine.loadPlacement(id, what, withClaims);
    if (loaded === null && what === 'all') this.#arm(id, null);
    return loaded;
  }

  pastTimes(loaded: LoadedPool): LoadedPool {
    return withPastTimes(loaded, this.#deps.context());
  }

  /** Asks the backends of the projects for what the gangs need and the pool does not have. */
  async questions(dated: LoadedPool) {
    const hints = await this.#answers.hints([...dated.rights.keys()]);
    const known = withBackends(dated, (projectId) => hints.get(projectId) ?? null);
    const questions = wantsBackendOffers(known, this.#deps.context().now);
    const { offers, silence } = await this.#answers.ask(questions, dated.isOfOneProject);
    const snapshot = withBackends(dated, (projectId) => {
      const facts = hints.get(projectId);
      return facts ? { ...facts, ...silence(projectId) } : null;
    });
    return { snapshot, offers };
  }

  deciding({ snapshot, offers }: Answered) {
    const context = this.#deps.context();
    return { decision: place(snapshot, offers, context), at: context.now };
  }

  async writing(
    id: string,
    { isWhole }: LoadedPool,
    { decision, at }: ReturnType<PoolStages['deciding']>,
  ): Promise<WorkEnding> {
    const ending = await applyDecision(this.#deps, { pool: id }, decision, at);
    const again = decision.again ?? null;
    // A pass that has not read what waits does not know when that is due.
    if (isWhole) this.#arm(id, again);
    else if (again !== null) this.#arm(id, Math.min(again, this.#dues.get(id) ?? again));
    return ending;
  }

  #arm(id: string, at: Timestamp | null): void {
    if (at === null) this.#dues.delete(id);
    else this.#dues.set(id, at);
    this.#deps.arm('pool', id, at);
  }
}
