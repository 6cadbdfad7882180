/** The next step of a fleet: its number of instances, its master, its end. */
import { Draft } from '../../draft/draft.ts';
import { fleetTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import { isGroupWanted } from '../../groups/index.ts';
import {
  fleetMatcher,
  freeNumbers,
  nodesOf,
  planInstance,
  terminateInstance,
} from '../../instances/index.ts';
import type {
  Decision,
  DecisionContext,
  FleetRecord,
  FleetSnapshot,
  GroupRecord,
  InstanceRecord,
} from '../../model/index.ts';
import { moveFleet } from '../../moves/moves.ts';
import {
  consolidationDelay,
  isFleetActive,
  isFleetTerminating,
  isInstanceActive,
  isInstanceIdle,
  isInstancePending,
  isInstanceProvisioning,
  isInstanceTerminated,
  MAX_CONSOLIDATION_ATTEMPTS,
} from '../../status/index.ts';
import { trackMaintenance } from './maintenance.ts';
import { electMaster } from './master-election.ts';

/**
 * `lastConsolidatedAt` null means a new fleet, which gets its target. An update of the fleet sets
 * it to 0 and the attempts to 0, which makes consolidation due at once.
 */
export function reconcileFleet(snapshot: FleetSnapshot, ctx: DecisionContext): Decision {
  const { fleet, instances, intents } = snapshot;
  const draft = new Draft({ fleet, instances, intents }, ctx);
  draft.beginRound();
  if (isFleetTerminating(fleet.status)) endFleet(draft, fleet, snapshot);
  else if (isFleetActive(fleet.status) && !fleet.deleted) {
    trackMaintenance(draft, fleet, snapshot.placedRuns ?? []);
    keepFleet(draft, fleet);
  }
  wakeGroups(draft, snapshot.groups);
  const after = draft.fleets.set(fleet, { nextPassAt: draft.due });
  return {
    changes: draft.changes(),
    signals: draft.signals(),
    summary: {
      fleet: fleet.id,
      from: fleet.status,
      to: after.status,
      instances: draft.instances.all().length,
      planned: draft.instances.inserted().length,
      attempt: after.consolidationAttempt,
      nextPassAt: draft.due,
    },
  };
}

/** Groups end with their last instance. */
function wakeGroups(draft: Draft, groups: readonly GroupRecord[]): void {
  const instances = draft.instances.all();
  for (const group of groups) {
    if (!isGroupWanted(group, instances)) draft.signal('group', group.id);
  }
}

function endFleet(draft: Draft, fleet: FleetRecord, snapshot: FleetSnapshot): void {
  for (const instance of draft.instances.all()) {
    if (!isInstanceActive(instance.status)) continue;
    terminateInstance(draft, instance, 'terminated_by_user');
  }
  removeTerminated(draft);
  const left = draft.instances.all().some((instance) => !instance.deleted);
  if (left || (snapshot.activeRuns > 0 && !snapshot.projectDeleted)) return;
  moveFleet(draft, fleet, 'terminated', { deleted: true });
}

/** Deletes the visible rows of instances whose creation failed. */
function removeTerminated(draft: Draft): void {
  const dead = draft.instances
    .all()
    .filter((one) => isInstanceTerminated(one.status) && !one.deleted);
  for (const one of dead) draft.instances.set(one, { deleted: true, deletedAt: draft.now });
}

function keepFleet(draft: Draft, fleet: FleetRecord): void {
  const nodes = nodesOf(fleet);
  // A host that could not be added stays visible with the reason until the fleet is applied again.
  if (nodes === null) return;
  endUnwanted(draft, fleet, nodes.max);
  if (fleet.lastConsolidatedAt === null) {
    plan(draft, fleet, nodes.target - active(draft).length, 'fleet submission');
    draft.fleets.set(fleet, { lastConsolidatedAt: draft.now });
  } else {
    consolidate(draft, fleet, nodes.min);
  }
  electMaster(draft, fleet);
  wakeIdle(draft, nodes.min);
}

const active = (draft: Draft): InstanceRecord[] =>
  draft.instances.all().filter((one) => isInstanceActive(one.status));

function plan(
  draft: Draft,
  fleet: FleetRecord,
  count: number,
  why: Parameters<typeof planInstance>[3],
): void {
  for (const num of freeNumbers(draft.instances.all(), count)) planInstance(draft, fleet, num, why);
}

/**
 * Ends unused instances that no longer fit the fleet's spec or exceed `nodes.max`. Used ones end when
 * they are released. New instances wait for consolidation.
 */
function endUnwanted(draft: Draft, fleet: FleetRecord, max: number | null): void {
  const matches = fleetMatcher(fleet);
  for (const one of active(draft)) {
    if (isReplaceable(one) && !matches(one)) {
      terminateInstance(draft, one, 'fleet_spec_mismatch');
    }
  }
  const present = active(draft);
  const surplus = max === null ? 0 : Math.max(0, present.length - max);
  const unused = present.filter(isUnused).sort((a, b) => b.instanceNum - a.instanceNum);
  if (surplus === 0 || unused.length === 0) return;
  // A job that releases its instance at the same time counts the same surplus.
  draft.guardFleet(fleet.id);
  for (const one of unused.slice(0, surplus)) terminateInstance(draft, one, 'max_instances_limit');
}

function consolidate(draft: Draft, fleet: FleetRecord, min: number): void {
  const attempt = fleet.consolidationAttempt;
  if (!needsWork(draft, min)) {
    // The last attempt succeeded only if no instance is pending.
    const settled = !active(draft).some((one) => isInstancePending(one.status));
    if (settled && attempt > 0) draft.fleets.set(fleet, { consolidationAttempt: 0 });
    return;
  }
  if (attempt >= MAX_CONSOLIDATION_ATTEMPTS) return;
  const readyAt = (fleet.lastConsolidatedAt ?? fleet.createdAt) + consolidationDelay(attempt);
  if (draft.now < readyAt) {
    draft.dueAt(readyAt);
    return;
  }
  removeTerminated(draft);
  plan(draft, fleet, min - active(draft).length, 'target fleet node count');
  draft.fleets.set(fleet, { consolidationAttempt: attempt + 1, lastConsolidatedAt: draft.now });
  if (attempt + 1 < MAX_CONSOLIDATION_ATTEMPTS) return;
  draft.event(
    recordEvent({
      action: 'fleet.consolidation_stopped',
      data: { attempts: MAX_CONSOLIDATION_ATTEMPTS },
      targets: [fleetTarget(fleet)],
    }),
  );
}

function needsWork(draft: Draft, min: number): boolean {
  const ended = draft.instances
    .all()
    .some((one) => isInstanceTerminated(one.status) && !one.deleted);
  return active(draft).length < min || ended;
}

/** No job runs on the instance or is about to start there. */
const isUnused = (one: InstanceRecord): boolean =>
  isInstanceIdle(one.status) && one.busyBlocks === 0;

const isReplaceable = (one: InstanceRecord): boolean =>
  one.busyBlocks === 0 && (isInstanceIdle(one.status) || isInstanceProvisioning(one.status));

/** Idle instances that stayed only because of `nodes.min` may now end. */
function wakeIdle(draft: Draft, min: number): void {
  if (active(draft).length <= min) return;
  for (const one of draft.instances.all()) {
    if (isUnused(one) && one.idleSeconds !== null && one.nextPassAt === null) {
      draft.signal('instance', one.id);
    }
  }
}
