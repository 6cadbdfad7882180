import {
  type Change,
  type Decision,
  type DecisionContext,
  place,
  reconcileFleet,
  reconcileInstance,
  reconcileRun,
  wantsBackendOffers,
} from '@dstack/core';
import type { Store } from '@dstack/store';
import type { Logger } from '../logging.ts';
import type { OfferSource } from '../offers/offer-source.ts';
import type { PassEnding } from './work-queue.ts';

export interface PassDeps {
  readonly store: Store;
  readonly offers: OfferSource;
  readonly context: () => DecisionContext;
  /** Called with the changes of every applied decision, to set alarms. */
  readonly applied: (changes: readonly Change[]) => void;
  readonly log: Logger;
}

/**
 * A pass: read one moment, decide, write guarded. Nothing outside the database happens in it, so
 * two servers that decide the same thing at once do no harm: one of them is refused.
 */
export type Pass = (key: string) => Promise<PassEnding>;

export function runPass(deps: PassDeps): Pass {
  return async (id) => {
    const snapshot = await deps.store.engine.loadRun(id);
    if (!snapshot) return DONE;
    return await apply(deps, { run: snapshot.run.name }, reconcileRun(snapshot, deps.context()));
  };
}

export function instancePass(deps: PassDeps): Pass {
  return async (id) => {
    const snapshot = await deps.store.engine.loadInstance(id);
    if (!snapshot) return DONE;
    const decision = reconcileInstance(snapshot, deps.context());
    return await apply(deps, { instance: snapshot.instance.name }, decision);
  };
}

export function fleetPass(deps: PassDeps): Pass {
  return async (id) => {
    const snapshot = await deps.store.engine.loadFleet(id);
    if (!snapshot) return DONE;
    return await apply(
      deps,
      { fleet: snapshot.fleet.name },
      reconcileFleet(snapshot, deps.context()),
    );
  };
}

/** Backends are asked between reading and deciding; what they said is stale only until `apply`. */
export function placementPass(deps: PassDeps): Pass {
  return async (projectId) => {
    const snapshot = await deps.store.engine.loadPlacement(projectId);
    if (snapshot.gangs.length === 0 && snapshot.waiting.length === 0) return DONE;
    const wanted = wantsBackendOffers(snapshot);
    const offers = await deps.offers.forPlacement(projectId, wanted);
    const decision = place(snapshot, offers, deps.context());
    return await apply(deps, { project: snapshot.projectName }, decision);
  };
}

const DONE: PassEnding = { ending: 'done' };

async function apply(
  deps: PassDeps,
  subject: Readonly<Record<string, string>>,
  decision: Decision,
): Promise<PassEnding> {
  if (decision.changes.length === 0) {
    if (decision.signals.length > 0) deps.store.signal(decision.signals);
    return DONE;
  }
  const outcome = await deps.store.engine.apply(decision.changes, decision.signals);
  deps.log.debug({ ...subject, ...decision.summary, outcome }, 'decision');
  if (outcome === 'conflict') return { ending: 'conflict' };
  deps.applied(decision.changes);
  return DONE;
}
