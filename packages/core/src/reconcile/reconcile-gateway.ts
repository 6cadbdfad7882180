/** The next step of a gateway: creation and deletion. */

import { gatewayTarget, newEvent, projectTarget } from '../events/events.ts';
import type {
  Change,
  Decision,
  DecisionContext,
  GatewayRecord,
  GatewaySnapshot,
  NewEvent,
} from '../model/index.ts';
import {
  assertTransition,
  GATEWAY_TRANSITIONS,
  isGatewayPassing,
  isGatewayRunning,
} from '../status/index.ts';

/**
 * No backend of this server creates machines for gateways. A new gateway therefore fails at once
 * with that reason, and one that is deleted has no replicas to end first.
 */
export function reconcileGateway(snapshot: GatewaySnapshot, { now }: DecisionContext): Decision {
  const { gateway } = snapshot;
  if (gateway.deleted) return nothing(gateway);
  if (gateway.toBeDeleted) {
    const event = newEvent('Gateway deleted', [gatewayTarget(gateway)]);
    const set = { deleted: true, nextPassAt: null, lastProcessedAt: now };
    return decision(gateway, set, [...withoutDefault(snapshot), { type: 'event', event }]);
  }
  if (!isGatewayPassing(gateway.status)) return withoutFailedDefault(snapshot);
  assertTransition('gateway', GATEWAY_TRANSITIONS, gateway.status, 'failed');
  const statusMessage = snapshot.backendConfigured
    ? `This server cannot create gateways in backend ${gateway.backend}`
    : `Backend ${gateway.backend} is not configured in project ${snapshot.projectName}`;
  const text = `Gateway status changed ${gateway.status.toUpperCase()} -> FAILED (${statusMessage})`;
  const event = newEvent(text, [gatewayTarget(gateway)]);
  const set = { status: 'failed', statusMessage, nextPassAt: null, lastProcessedAt: now } as const;
  return decision(gateway, set, [{ type: 'event', event }, ...withoutDefault(snapshot)]);
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
  const change = { from: projectDefaultId, to: gateway.id, actorUserId: null };
  return defaultGatewayChanges(gateway, project, change);
}

function withoutFailedDefault(snapshot: GatewaySnapshot): Decision {
  const { gateway } = snapshot;
  const changes = canBeDefault(gateway) ? [] : withoutDefault(snapshot);
  return changes.length === 0 ? nothing(gateway) : { ...nothing(gateway), changes };
}

/** Removes a failed or deleted gateway as the default of projects. */
function withoutDefault({ gateway, defaultOf }: GatewaySnapshot): Change[] {
  return defaultOf.flatMap((project) =>
    defaultGatewayChanges(gateway, project, { from: gateway.id, to: null, actorUserId: null }),
  );
}

/** Sets the gateway as the default of a project, or removes it. */
export function defaultGatewayChanges(
  gateway: GatewayRecord,
  project: { readonly id: string; readonly name: string },
  change: {
    readonly from: string | null;
    readonly to: string | null;
    readonly actorUserId: string | null;
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
  { to, actorUserId }: { readonly to: string | null; readonly actorUserId: string | null },
): NewEvent {
  const text = `Gateway ${to === null ? 'unset' : 'set'} as project default`;
  return newEvent(text, [gatewayTarget(gateway), projectTarget(project)], actorUserId);
}

function decision(
  gateway: GatewayRecord,
  set: Partial<GatewayRecord>,
  more: readonly Change[],
): Decision {
  const { id, version } = gateway;
  return {
    changes: [{ type: 'gateway.update', id, version, set }, ...more],
    signals: [],
    summary: { gateway: id, from: gateway.status, to: set.status ?? gateway.status },
  };
}

function nothing(gateway: GatewayRecord): Decision {
  return { changes: [], signals: [], summary: { gateway: gateway.id, from: gateway.status } };
}
