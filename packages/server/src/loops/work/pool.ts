import {
  place,
  type Timestamp,
  wantsBackendOffers,
  withBackends,
  withPastTimes,
} from '@dstack/core';
import { applyDecision } from '../apply-decision.ts';
import { PoolAnswers } from '../pool-answers.ts';
import type { WorkDescriptor } from './descriptor.ts';

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
    const answers = new PoolAnswers(deps.offers, (id) => deps.wake({ kind: 'placement', id }));
    /** When the passes of pools are due. */
    const dues = new Map<string, Timestamp>();
    const arm = (id: string, at: Timestamp | null) => {
      if (at === null) dues.delete(id);
      else dues.set(id, at);
      deps.arm('pool', id, at);
    };
    return async (id) => {
      const examined = deps.examined(id);
      const withClaims = deps.context().settings.preemption?.mode === 'priority';
      const loaded = await deps.store.engine.loadPlacement(id, examined, withClaims);
      if (!loaded) {
        if (examined === 'all') arm(id, null);
        return { ending: 'done' };
      }
      const waiting = withPastTimes(loaded, deps.context());
      const hints = await answers.hints([...waiting.rights.keys()]);
      const known = withBackends(waiting, (projectId) => hints.get(projectId) ?? null);
      const questions = wantsBackendOffers(known, deps.context().now);
      const answered = await answers.ask(questions, loaded.isOfOneProject);
      const snapshot = withBackends(waiting, (projectId) => {
        const facts = hints.get(projectId);
        return facts ? { ...facts, ...answered.silence(projectId) } : null;
      });
      const decision = place(snapshot, answered.offers, deps.context());
      const ending = await applyDecision(deps, { pool: id }, decision);
      const again = decision.again ?? null;
      // A pass that has not read what waits does not know when that is due.
      if (loaded.isWhole) arm(id, again);
      else if (again !== null) arm(id, Math.min(again, dues.get(id) ?? again));
      return ending;
    };
  },
};
