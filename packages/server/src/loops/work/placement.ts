import { place, wantsBackendOffers, withPastTimes } from '@dstack/core';
import { applyDecision } from '../apply-decision.ts';
import type { WorkDescriptor } from './descriptor.ts';

/**
 * Places the waiting work of a project; the key is the project's id. Backends are asked between
 * reading and deciding; the guarded write refuses a decision if a record has changed meanwhile.
 */
export const placement: WorkDescriptor<'placement'> = {
  kind: 'placement',
  queues: { placement: 2 },
  lease: 'placement',
  schedule: null,
  work: (deps) => async (projectId) => {
    const { store, offers: source } = deps;
    const hints = await source.hints(projectId);
    const loaded = await store.engine.loadPlacement(projectId, hints);
    if (!loaded) {
      deps.arm('placement', projectId, null);
      return { ending: 'done' };
    }
    const snapshot = withPastTimes(loaded, deps.context());
    const answers = await source.answer(projectId, wantsBackendOffers(snapshot));
    const decision = place(
      { ...snapshot, unreachable: answers.notes },
      answers.offers,
      deps.context(),
    );
    const ending = await applyDecision(deps, { project: snapshot.projectName }, decision);
    deps.arm('placement', projectId, decision.again ?? null);
    return ending;
  },
};
