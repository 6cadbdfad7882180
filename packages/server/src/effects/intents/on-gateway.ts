/** The common part of effects on the machine of a gateway replica. */
import type { Backend } from '@dstack/backends';
import {
  capabilitiesOf,
  type GatewayReplicaRecord,
  gatewayBackend,
  type IntentRecord,
  type Signal,
} from '@dstack/core';
import type { GatewayView, Store } from '@dstack/store';
import type { EffectsOptions } from '../effects.ts';

export const ON_GATEWAY = {
  subject: 'gateway-replica',
  queue: 'machine',
  mayCancel: false,
  hostOf,
  wakes,
} as const;

export interface GatewayPlace {
  readonly replica: GatewayReplicaRecord;
  readonly view: GatewayView;
  /** Null: it is no longer configured. */
  readonly backend: Backend | null;
}

export async function gatewayPlace(
  { store, backends }: Pick<EffectsOptions, 'store' | 'backends'>,
  { subjectId }: IntentRecord,
): Promise<GatewayPlace | null> {
  const replica = await store.gateways.replicaById(subjectId);
  const view = replica && (await store.gateways.byId(replica.gatewayId));
  if (!replica || !view) return null;
  // The gateway may have moved since.
  const place = placeOf(replica, view);
  const backend = await backends.find(view.gateway.projectId, gatewayBackend(place));
  return { replica, view, backend };
}

/** The link to the host removes the program there; every server can reach the other backends. */
async function hostOf({ gateways }: Store, { subjectId }: IntentRecord): Promise<string | null> {
  const replica = await gateways.replicaById(subjectId);
  const view = replica && (await gateways.byId(replica.gatewayId));
  if (!replica || !view) return null;
  const { owner } = capabilitiesOf(gatewayBackend(placeOf(replica, view)));
  return owner === 'provider' ? null : replica.instanceId;
}

function placeOf({ backend, region }: GatewayReplicaRecord, { gateway }: GatewayView) {
  return { backend: backend ?? gateway.backend, region: region ?? gateway.region };
}

async function wakes({ gateways }: Store, { subjectId }: IntentRecord): Promise<Signal[]> {
  const replica = await gateways.replicaById(subjectId);
  return replica ? [{ kind: 'gateway', id: replica.gatewayId }] : [];
}
