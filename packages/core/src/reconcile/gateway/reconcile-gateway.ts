/** The next step of a gateway: its replicas, its status, and whether it may be a default. */

import { SSH_HOST_BACKEND } from '../../capabilities/capabilities.ts';
import { gatewayTarget, projectTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import type {
  Change,
  Decision,
  DecisionContext,
  EventActor,
  GatewayRecord,
  GatewaySnapshot,
  NewEvent,
} from '../../model/index.ts';
import {
  isGatewayProvisioning,
  isGatewayRunning,
  isGatewaySubmitted,
  isReplicaEnding,
  isReplicaRunning,
} from '../../status/index.ts';
import { GatewayPass } from './gateway-pass.ts';
import { advanceReplica, scaleReplicas } from './gateway-replicas.ts';

const MAX_ROUNDS = 100;

export function reconcileGateway(snapshot: GatewaySnapshot, ctx: DecisionContext): Decision {
  const pass = new GatewayPass(snapshot, ctx);
  let rounds = 0;
  do {
    if (++rounds > MAX_ROUNDS) throw new Error(`Gateway ${snapshot.gateway.id} does not settle`);
    pass.draft.beginRound();
    round(pass);
  } while (pass.draft.touched);
  return decide(pass);
}

function round(pass: GatewayPass): void {
  if (pass.gateway.deleted) return;
  for (const replica of pass.replicas) advanceReplica(pass, replica);
  if (pass.gateway.toBeDeleted) {
    if (pass.replicas.length === 0) finish(pass);
  } else if (isGatewaySubmitted(pass.gateway.status)) {
    advanceSubmitted(pass);
  } else if (isGatewayProvisioning(pass.gateway.status)) {
    advanceProvisioning(pass);
  } else if (isGatewayRunning(pass.gateway.status)) {
    scaleReplicas(pass);
  }
}

function finish(pass: GatewayPass): void {
  pass.set({ deleted: true });
}

function advanceSubmitted(pass: GatewayPass): void {
  const { backendConfigured, projectName } = pass.snapshot;
  const { backend, region } = pass.gateway;
  if (!backendConfigured) {
    const text =
      backend === SSH_HOST_BACKEND
        ? `Project ${projectName} has no fleet ${region}`
        : `Backend ${backend} is not configured in project ${projectName}`;
    pass.move('failed', text);
    return;
  }
  scaleReplicas(pass);
  pass.move('provisioning');
}

function advanceProvisioning(pass: GatewayPass): void {
  const replicas = pass.draft.gatewayReplicas.all();
  const failed = replicas.find(({ status, scaleIn }) => !scaleIn && isReplicaEnding(status));
  if (failed) {
    const why = failed.statusMessage === null ? '' : `: ${failed.statusMessage}`;
    pass.move('failed', `Failed to provision gateway replica${why}`);
    return;
  }
  scaleReplicas(pass);
  const { active } = pass;
  if (active.length > 0 && active.every(({ status }) => isReplicaRunning(status))) {
    pass.move('running');
  }
}

function decide(pass: GatewayPass): Decision {
  const { draft, snapshot, gateway } = pass;
  const before = snapshot.gateway;
  const nextPassAt = gateway.deleted ? null : draft.due;
  pass.set({ nextPassAt });
  const isRunningNow = isGatewayRunning(gateway.status) && !isGatewayRunning(before.status);
  const defaults = isRunningNow
    ? defaultOnRunning({ ...snapshot, gateway })
    : canBeDefault(gateway)
      ? []
      : withoutDefault(snapshot);
  if (draft.changes().length > 0 || defaults.length > 0) pass.set({ lastProcessedAt: pass.now });
  const targets = [gatewayTarget(gateway)];
  const deleted: Change[] =
    gateway.deleted && !before.deleted
      ? [{ type: 'event', event: recordEvent({ action: 'gateway.deleted', targets }) }]
      : [];
  return {
    changes: [...draft.changes(), ...defaults, ...deleted],
    signals: draft.signals(),
    alarms: draft.alarms,
    summary: {
      gateway: gateway.id,
      from: before.status,
      to: gateway.status,
      replicas: pass.replicas.length,
      nextPassAt,
    },
  };
}

/** Services without a gateway of their own use the default, so it must be running. */
export function canBeDefault(
  gateway: Pick<GatewayRecord, 'status' | 'toBeDeleted' | 'deleted'>,
): boolean {
  return isGatewayRunning(gateway.status) && !gateway.toBeDeleted && !gateway.deleted;
}

/**
 * Apply together with the transition to `running`: the gateway becomes the default of its project if
 * its configuration requests that, or if it leaves this open and the project has no default.
 */
export function defaultOnRunning(snapshot: GatewaySnapshot): Change[] {
  const { gateway, projectName, projectDefaultId } = snapshot;
  const wanted = gateway.configuration.default ?? projectDefaultId === null;
  if (!wanted || projectDefaultId === gateway.id) return [];
  const project = { id: gateway.projectId, name: projectName };
  const change = { from: projectDefaultId, to: gateway.id, actor: null };
  return defaultGatewayChanges(gateway, project, change);
}

/** Removes a failed or deleted gateway as the default of projects. */
function withoutDefault({ gateway, defaultOf }: GatewaySnapshot): Change[] {
  return defaultOf.flatMap((project) =>
    defaultGatewayChanges(gateway, project, { from: gateway.id, to: null, actor: null }),
  );
}

/** Sets the gateway as the default of a project, or removes it. */
export function defaultGatewayChanges(
  gateway: GatewayRecord,
  project: { readonly id: string; readonly name: string },
  change: {
    readonly from: string | null;
    readonly to: string | null;
    readonly actor: EventActor | null;
  },
): Change[] {
  return [
    { type: 'project.default-gateway', id: project.id, from: change.from, to: change.to },
    { type: 'event', event: defaultGatewayEvent(gateway, project, change) },
  ];
}

export function defaultGatewayEvent(
  gateway: GatewayRecord,
  project: { readonly id: string; readonly name: string },
  { to, actor }: { readonly to: string | null; readonly actor: EventActor | null },
): NewEvent {
  const action = to === null ? 'gateway.default_unset' : 'gateway.default_set';
  return recordEvent({ action, targets: [gatewayTarget(gateway), projectTarget(project)], actor });
}
