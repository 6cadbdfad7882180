/** Creating a fleet, or changing the one of its name in place. */
import {
  type ApplyFleetPlanRequest,
  accessDenied,
  notExists,
  ruleError,
} from '@dstack/contract/api';
import type { Fleet, FleetSpec, ProjectRole } from '@dstack/contract/wire';
import {
  type Change,
  type DecisionContext,
  diffFleetSpecs,
  type FleetRecord,
  type FleetSnapshot,
  fleetTarget,
  isFleetTerminating,
  newEvent,
  reconcileFleet,
  sameFleetSpec,
} from '@dstack/core';
import type { NewFleet, ProjectRecord, UserRecord } from '@dstack/store';
import { wireFleet } from '../mapping/fleet.ts';
import { memberPermissions } from '../mapping/project.ts';
import type { HttpDeps } from '../ports.ts';
import { randomName } from '../random-name.ts';
import { currentFleet, effectiveFleetSpec } from './plan.ts';

interface Caller {
  readonly user: UserRecord;
  readonly role: ProjectRole | null;
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
  const spec = await effectiveFleetSpec(deps, wanted, current);
  const id =
    current === null
      ? await createFleet(deps, project, spec, caller.user)
      : await updateFleet(deps, current.fleet.id, spec, request, caller.user);
  const view = await deps.store.fleets.byId(id);
  if (view === null) throw notExists('Fleet not found');
  return wireFleet(view);
}

function checkMayManageHosts(deps: HttpDeps, { user, role }: Caller): void {
  const permissions = memberPermissions(user, role ?? 'user', deps.settings.permissions);
  if (!permissions.can_manage_ssh_fleets) {
    throw accessDenied('Access denied: only admins may manage SSH fleets on this server');
  }
  throw ruleError('SSH fleets are not available on this server: use `nodes`');
}

async function createFleet(
  deps: HttpDeps,
  project: ProjectRecord,
  spec: FleetSpec,
  user: UserRecord,
): Promise<string> {
  const { name } = spec.configuration;
  const context = deps.context();
  const outcome = await deps.store.engine.createFleet({
    projectId: project.id,
    name: name === null ? { propose: randomName } : { exact: name },
    build: (certain) => newFleet(certain, project, spec, user, context),
  });
  if (outcome.type === 'created') return outcome.fleet.id;
  throw ruleError('Failed to apply plan. Resource has been changed. Try again or use force apply.');
}

/** With the instances it is to have from the start, so that whoever made it sees them at once. */
function newFleet(
  name: string,
  project: ProjectRecord,
  spec: FleetSpec,
  user: UserRecord,
  context: DecisionContext,
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
    nextPassAt: null,
    deleted: false,
    version: 0,
  };
  const { changes, signals } = reconcileFleet(
    { fleet, projectName: project.name, projectDeleted: false, instances: [], activeRuns: 0 },
    context,
  );
  const set = changes.flatMap((change) => (change.type === 'fleet.update' ? [change.set] : []));
  const created = newEvent('Fleet created. Status: ACTIVE', [fleetTarget(fleet)], user.id);
  return {
    fleet: { ...fleet, ...set[0] },
    instances: changes.flatMap((one) => (one.type === 'instance.insert' ? [one.instance] : [])),
    events: [created, ...changes.flatMap((one) => (one.type === 'event' ? [one.event] : []))],
    signals: [...signals, { kind: 'fleet', id: fleet.id }, { kind: 'placement', id: project.id }],
  };
}

async function updateFleet(
  deps: HttpDeps,
  id: string,
  spec: FleetSpec,
  request: ApplyFleetPlanRequest,
  user: UserRecord,
): Promise<string> {
  await deps.store.engine.updateFleet(id, (snapshot) => {
    const changes = updateChanges(snapshot, spec, request, user);
    const { projectId } = snapshot.fleet;
    return {
      changes,
      signals: [
        { kind: 'fleet', id },
        { kind: 'placement', id: projectId },
      ],
    };
  });
  return id;
}

/** Instances that no longer fit are replaced by the fleet's own passes. */
function updateChanges(
  { fleet }: FleetSnapshot,
  spec: FleetSpec,
  request: ApplyFleetPlanRequest,
  user: UserRecord,
): Change[] {
  if (isFleetTerminating(fleet.status) || fleet.deleted) {
    throw ruleError(`Fleet ${fleet.name} is being deleted. Apply again once it is gone`);
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
      `Fleet ${fleet.name} cannot be updated in place. ${diff.reason ?? ''} Delete it and apply again`,
    );
  }
  if (diff.changed.length === 0) return [];
  const text = `Fleet updated. Changed fields: ${diff.changed.join(', ')}`;
  return [
    {
      type: 'fleet.update',
      id: fleet.id,
      version: fleet.version,
      // 0: consolidation is due at once.
      set: { spec, consolidationAttempt: 0, lastConsolidatedAt: 0 },
    },
    { type: 'event', event: newEvent(text, [fleetTarget(fleet)], user.id) },
  ];
}
