import {
  type Change,
  type Decision,
  type DecisionContext,
  type Id,
  place,
  type RunContext,
  reconcileFleet,
  reconcileGateway,
  reconcileInstance,
  reconcileRun,
  reconcileVolume,
  type Timestamp,
  wantsBackendOffers,
} from '@dstack/core';
import type { ScheduledKind, Store } from '@dstack/store';
import type { Logger } from '../logging.ts';
import type { OfferSource } from '../offers/offer-source.ts';
import type { LogQuota } from './log-quota.ts';
import type { LoopObserver } from './loop-observer.ts';
import type { RunChanges } from './run-changes.ts';
import type { PassEnding } from './work-queue.ts';

export interface PassDeps {
  readonly store: Store;
  readonly offers: OfferSource;
  readonly context: () => RunContext;
  /** Sets or clears the alarm of a record; one that is due by now puts the record into work. */
  readonly arm: (kind: ScheduledKind | 'placement', id: Id, at: Timestamp | null) => void;
  readonly changes: RunChanges;
  readonly quota: LogQuota;
  readonly observer: LoopObserver | null;
  readonly log: Logger;
}

/** Passes of volumes and gateways look at nothing but their own rows. */
export type ResourcePassDeps = Pick<PassDeps, 'store' | 'arm' | 'observer' | 'log'> & {
  readonly context: () => DecisionContext;
};

/**
 * A pass: read one moment, decide, write guarded. Nothing outside the database happens in it, so
 * two servers that decide the same thing at once do no harm: one of them is refused.
 */
export type Pass = (key: string) => Promise<PassEnding>;

export function runPass(deps: PassDeps): Pass {
  return async (id) => {
    const memory = { overQuota: deps.quota.breaches };
    const snapshot = await deps.store.engine.loadRun(id, memory);
    if (!snapshot) return DONE;
    armAsLoaded(deps, 'run', snapshot.run);
    const decision = reconcileRun(snapshot, deps.context());
    const ending = await apply(deps, { run: snapshot.run.name }, decision);
    if (ending.ending === 'done') deps.changes.emit(id);
    return ending;
  };
}

export function instancePass(deps: PassDeps): Pass {
  return async (id) => {
    const snapshot = await deps.store.engine.loadInstance(id);
    if (!snapshot) return DONE;
    armAsLoaded(deps, 'instance', snapshot.instance);
    const decision = reconcileInstance(snapshot, deps.context());
    return await apply(deps, { instance: snapshot.instance.name }, decision);
  };
}

export function fleetPass(deps: PassDeps): Pass {
  return async (id) => {
    const snapshot = await deps.store.engine.loadFleet(id);
    if (!snapshot) return DONE;
    armAsLoaded(deps, 'fleet', snapshot.fleet);
    const decision = reconcileFleet(snapshot, deps.context());
    return await apply(deps, { fleet: snapshot.fleet.name }, decision);
  };
}

export function volumePass(deps: ResourcePassDeps): Pass {
  return async (id) => {
    const snapshot = await deps.store.engine.loadVolume(id);
    if (!snapshot) return DONE;
    armAsLoaded(deps, 'volume', snapshot.volume);
    const decision = reconcileVolume(snapshot, deps.context());
    return await apply(deps, { volume: snapshot.volume.name }, decision);
  };
}

export function gatewayPass(deps: ResourcePassDeps): Pass {
  return async (id) => {
    const snapshot = await deps.store.engine.loadGateway(id);
    if (!snapshot) return DONE;
    armAsLoaded(deps, 'gateway', snapshot.gateway);
    const decision = reconcileGateway(snapshot, deps.context());
    return await apply(deps, { gateway: snapshot.gateway.name }, decision);
  };
}

/** Backends are asked between reading and deciding; what they said is stale only until `apply`. */
export function placementPass(deps: PassDeps): Pass {
  return async (projectId) => {
    const hints = await deps.offers.hints(projectId);
    const snapshot = await deps.store.engine.loadPlacement(projectId, hints);
    if (!snapshot) {
      deps.arm('placement', projectId, null);
      return DONE;
    }
    const { offers } = await deps.offers.answer(projectId, wantsBackendOffers(snapshot));
    const decision = place(snapshot, offers, deps.context());
    const ending = await apply(deps, { project: snapshot.projectName }, decision);
    deps.arm('placement', projectId, decision.again ?? null);
    return ending;
  };
}

/** Wakes placement where something waits that may use what has become free. Writes nothing. */
export function capacityPass(deps: Pick<PassDeps, 'store'>, wake: (projectId: Id) => void): Pass {
  return async (capacity) => {
    for (const projectId of await deps.store.engine.waitingFor(capacity)) wake(projectId);
    return DONE;
  };
}

const DONE: PassEnding = { ending: 'done' };

/** What is overdue needs no alarm: the pass that has just loaded it is there for that. */
function armAsLoaded(
  deps: ResourcePassDeps,
  kind: ScheduledKind,
  { id, nextPassAt }: { readonly id: Id; readonly nextPassAt: Timestamp | null },
): void {
  if (nextPassAt === null || nextPassAt > deps.context().now) deps.arm(kind, id, nextPassAt);
}

async function apply(
  deps: Pick<PassDeps, 'store' | 'arm' | 'observer' | 'log'>,
  subject: Readonly<Record<string, string>>,
  decision: Decision,
): Promise<PassEnding> {
  if (decision.changes.length === 0) {
    if (decision.signals.length > 0) await deps.store.engine.signal(decision.signals);
    return DONE;
  }
  const outcome = await deps.store.engine.apply(decision.changes, decision.signals);
  deps.log.debug({ ...subject, ...decision.summary, outcome }, 'decision');
  if (outcome === 'conflict') return { ending: 'conflict' };
  for (const alarm of decision.alarms ?? []) deps.log.error(subject, alarm);
  deps.observer?.applied(decision.changes);
  for (const change of decision.changes) armFor(deps, change);
  return DONE;
}

function armFor(deps: Pick<PassDeps, 'arm'>, change: Change): void {
  switch (change.type) {
    case 'instance.insert':
      deps.arm('instance', change.instance.id, change.instance.nextPassAt);
      return;
    case 'run.update':
    case 'instance.update':
    case 'fleet.update':
    case 'volume.update':
    case 'gateway.update': {
      const kind = change.type.split('.')[0] as ScheduledKind;
      if (change.set.nextPassAt !== undefined) deps.arm(kind, change.id, change.set.nextPassAt);
      return;
    }
    default:
  }
}
