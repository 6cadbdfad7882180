/** Creates a fleet, or changes the one of its name in place. */
import {
  type ApplyFleetPlanRequest,
  accessDenied,
  notExists,
  ruleError,
} from '@dstack/contract/api';
import { isFleetTerminating } from '@dstack/contract/status';
import type { Fleet, FleetSpec, ProjectRole } from '@dstack/contract/wire';
import {
  type Change,
  type DecisionContext,
  diffFleetSpecs,
  type FleetRecord,
  type FleetSnapshot,
  fieldChanges,
  fleetCapacity,
  fleetTarget,
  reconcileFleet,
  recordEvent,
  sameFleetSpec,
  withDivision,
  withIdleDuration,
} from '@dstack/core';
import type { NewFleet, ProjectRecord, UserRecord } from '@dstack/store';
import { actorOf } from '../event-actor.ts';
import { wireFleet } from '../mapping/fleet.ts';
import { memberPermissions } from '../mapping/project.ts';
import type { HttpDeps } from '../ports.ts';
import { randomName } from '../random-name.ts';
import {
  type AddedHost,
  addHosts,
  checkDivision,
  departures,
  fleetLogins,
  hostChanges,
  newPrices,
  withoutPrivateKeys,
} from './hosts.ts';
import { currentFleet, effectiveFleetSpec } from './plan.ts';

interface Caller {
  readonly user: UserRecord;
  readonly role: ProjectRole | null;
  /** Whether its program has all of our keys; default: it has. */
  readonly isOurs?: boolean;
}

export async function applyFleet(
  deps: HttpDeps,
  project: ProjectRecord,
  request: ApplyFleetPlanRequest,
  caller: Caller,
): Promise<Fleet> {
  const { spec: wanted } = request.plan;
  if (wanted.configuration.ssh_config !== null) checkMayManageHosts(deps, caller);
  const current = await currentFleet(deps, project, wanted);
  if (firstNodes(wanted) > (current ? firstNodes(current.fleet.spec) : 0)) deps.files.admitWork();
  const isOurs = caller.isOurs ?? true;
  const spec = await effectiveFleetSpec(deps, project, wanted, { current, isOurs });
  const id =
    current === null
      ? await createFleet(deps, project, spec, caller.user)
      : await updateFleet(deps, current.fleet.id, spec, request, caller.user);
  const view = await deps.store.fleets.byId(id);
  if (view === null) throw notExists('Fleet not found');
  return wireFleet(view, deps.context().now);
}

/** The instances that a fleet creates without a run that needs them. */
function firstNodes({ configuration: { nodes } }: FleetSpec): number {
  return nodes?.target ?? nodes?.min ?? 0;
}

function checkMayManageHosts(deps: HttpDeps, { user, role }: Caller): void {
  const permissions = memberPermissions(user, role ?? 'user', deps.settings.permissions);
  if (!permissions.can_manage_ssh_fleets) {
    throw accessDenied(
      'Access denied: only admins may manage SSH fleets on this server; an admin of the project can',
    );
  }
}

async function createFleet(
  deps: HttpDeps,
  project: ProjectRecord,
  wanted: FleetSpec,
  user: UserRecord,
): Promise<string> {
  const { name } = wanted.configuration;
  const context = deps.context();
  const spec = withoutPrivateKeys(wanted);
  const hosts = await addHosts(deps, wanted, () => true);
  const outcome = await deps.store.engine.createFleet({
    projectId: project.id,
    name: name === null ? { propose: randomName } : { exact: name },
    build: (certain) => newFleet(certain, project, spec, user, context, hosts),
  });
  if (outcome.type === 'created') return outcome.fleet.id;
  await deps.store.hostAccess.delete(hosts.map(({ id }) => id));
  throw ruleError('Failed to apply plan. Resource has been changed. Try again or use force apply.');
}

/** Creates the fleet with its initial instances, so that the user sees them at once. */
function newFleet(
  name: string,
  project: ProjectRecord,
  spec: FleetSpec,
  user: UserRecord,
  context: DecisionContext,
  hosts: readonly AddedHost[],
): NewFleet {
  const fleet: FleetRecord = {
    id: context.newId(),
    projectId: project.id,
    name,
    spec: { ...spec, configuration: { ...spec.configuration, name } },
    status: 'active',
    statusMessage: null,
    createdAt: context.now,
    consolidationAttempt: 0,
    lastConsolidatedAt: null,
    masterInstanceId: null,
    maintenance: null,
    nextPassAt: null,
    deleted: false,
    version: 0,
  };
  const { changes, signals } = reconcileFleet(
    {
      ...{ fleet, projectName: project.name, projectDeleted: false },
      ...{ instances: [], intents: [], groups: [], activeRuns: 0, volumes: [] },
    },
    context,
  );
  const set = changes.flatMap((change) => (change.type === 'fleet.update' ? [change.set] : []));
  const created = recordEvent({
    action: 'fleet.created',
    data: { status: fleet.status },
    ...{ targets: [fleetTarget(fleet)], actor: actorOf(user) },
  });
  const added = hostChanges(fleet, [], hosts, context.now, 'fleet submission');
  const all = [...changes, ...added];
  return {
    fleet: { ...fleet, ...set[0] },
    instances: all.flatMap((one) => (one.type === 'instance.insert' ? [one.instance] : [])),
    events: [created, ...all.flatMap((one) => (one.type === 'event' ? [one.event] : []))],
    signals: [
      ...signals,
      ...hosts.map(({ id }) => ({ kind: 'instance' as const, id })),
      { kind: 'fleet', id: fleet.id },
      fleetCapacity(fleet.id),
    ],
  };
}

async function updateFleet(
  deps: HttpDeps,
  id: string,
  wanted: FleetSpec,
  request: ApplyFleetPlanRequest,
  user: UserRecord,
): Promise<string> {
  const present = await fleetLogins(deps, id);
  const hosts = await addHosts(deps, wanted, (address) => !present.has(address));
  const spec = withoutPrivateKeys(wanted);
  try {
    await deps.store.engine.updateFleet(id, (snapshot) => {
      const { now } = deps.context();
      const { fleet } = snapshot;
      const idle = withIdleDuration(snapshot.instances, fleet.spec, spec);
      const division = withDivision(snapshot.instances, spec, now);
      const left = departures(snapshot, spec, present, { actor: actorOf(user), now });
      return {
        changes: [
          ...updateChanges(snapshot, spec, request, user),
          ...inOneUpdateEach([
            ...idle.changes,
            ...division.changes,
            ...left.changes,
            ...newPrices(snapshot.instances, spec, present, now),
          ]),
          ...hostChanges(fleet, snapshot.instances, hosts, now, 'fleet update'),
        ],
        signals: [
          ...left.signals,
          ...idle.signals,
          ...division.signals,
          { kind: 'fleet', id },
          ...hosts.map((host) => ({ kind: 'instance' as const, id: host.id })),
          fleetCapacity(fleet.id),
        ],
      };
    });
  } catch (error) {
    await deps.store.hostAccess.delete(hosts.map((host) => host.id));
    throw error;
  }
  return id;
}

/** Each change was made for the instance as it was read, and an instance is written once. */
function inOneUpdateEach(changes: readonly Change[]): Change[] {
  const merged: Change[] = [];
  const places = new Map<string, number>();
  for (const change of changes) {
    if (change.type !== 'instance.update') {
      merged.push(change);
      continue;
    }
    const place = places.get(change.id);
    const before = place === undefined ? undefined : merged[place];
    if (place !== undefined && before?.type === 'instance.update') {
      merged[place] = { ...before, set: { ...before.set, ...change.set } };
    } else {
      places.set(change.id, merged.push(change) - 1);
    }
  }
  return merged;
}

/** The fleet's own passes replace instances that no longer match. */
function updateChanges(
  { fleet, instances }: FleetSnapshot,
  spec: FleetSpec,
  request: ApplyFleetPlanRequest,
  user: UserRecord,
): Change[] {
  if (isFleetTerminating(fleet.status) || fleet.deleted) {
    throw ruleError(`Fleet ${fleet.name} is being deleted. Apply again once it is deleted`);
  }
  const seen = request.plan.current_resource;
  const isCurrent = seen?.id === fleet.id && sameFleetSpec(seen.spec, fleet.spec);
  if (!request.force && !isCurrent) {
    throw ruleError(
      'Failed to apply plan. Resource has been changed. Try again or use force apply.',
    );
  }
  const diff = diffFleetSpecs(fleet.spec, spec);
  if (!diff.updatable) {
    throw ruleError(
      `Fleet ${fleet.name} cannot be updated. ${diff.reason ?? ''}. Delete it and apply again.`,
    );
  }
  if (diff.changed.length === 0) return [];
  checkDivision(instances, spec);
  const changes = fieldChanges(diff.changed, fleet.spec, spec);
  const event = recordEvent({
    action: 'fleet.updated',
    data: { fields: diff.changed, changes },
    ...{ targets: [fleetTarget(fleet)], actor: actorOf(user) },
  });
  return [
    {
      type: 'fleet.update',
      id: fleet.id,
      version: fleet.version,
      // 0: consolidation is due at once.
      set: { spec, consolidationAttempt: 0, lastConsolidatedAt: 0 },
    },
    { type: 'event', event },
  ];
}
