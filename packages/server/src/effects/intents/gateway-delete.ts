import { NoAnswerError } from '@dstack/backends';
import { isGatewayFailed, isReplicaEnding, isReplicaTerminated } from '@dstack/contract/status';
import {
  BACKEND_MISSING,
  capabilitiesOf,
  configuredBackendName,
  type GatewayReplicaRecord,
  gatewayBackend,
  type IntentOf,
  type IntentResult,
} from '@dstack/core';
import type { GatewayView } from '@dstack/store';
import type { EffectsOptions } from '../effects.ts';
import { NotNow } from '../not-now.ts';
import type { IntentDescriptor } from './descriptor.ts';
import { gatewayPlace, ON_GATEWAY } from './on-gateway.ts';

export const gatewayDelete: IntentDescriptor<'gateway.delete'> = {
  ...ON_GATEWAY,
  kind: 'gateway.delete',
  handle: remove,
};

async function remove(
  effects: EffectsOptions,
  intent: IntentOf<'gateway.delete'>,
): Promise<IntentResult> {
  const place = await gatewayPlace(effects, intent);
  const { replica, view, backend } = place ?? {};
  if (!replica?.instanceId || !view) return { kind: 'ok' };
  if (!backend?.gateways) {
    const name = configuredBackendName(view.gateway.backend);
    const message = `backend ${name} is not configured any more`;
    return { kind: 'refused', reason: BACKEND_MISSING, message };
  }
  const handle = { id: replica.instanceId, data: replica.backendData };
  try {
    const outcome = await backend.gateways.release(handle, { ends: whatEnds(replica, view) });
    if (outcome === 'releasing') throw new NotNow('the machine is being terminated');
  } catch (error) {
    if (!(error instanceof NoAnswerError)) throw error;
    const isOver = effects.now() >= intent.createdAt + GIVE_UP;
    if (isOver && !costsMoney(replica, view)) return { kind: 'ok' };
    throw new NotNow(error.message);
  }
  return { kind: 'ok' };
}

function whatEnds(replica: GatewayReplicaRecord, { gateway, replicas }: GatewayView) {
  if (gateway.toBeDeleted || isGatewayFailed(gateway.status)) return 'gateway';
  const { id, region } = replica;
  if (region === null || region === gateway.region) return replica.scaleIn ? 'replica' : 'machine';
  // The gateway has moved: no replica follows this one at its place.
  const staysOne = replicas.some((one) => one.id !== id && one.region === region && isStaying(one));
  return staysOne ? 'replica' : 'gateway';
}

const isStaying = ({ status, scaleIn }: GatewayReplicaRecord): boolean =>
  !scaleIn && !isReplicaEnding(status) && !isReplicaTerminated(status);

/** Hosts of users, and clusters, are not waited for: nothing that cannot be reached there is charged. */
function costsMoney({ backend }: GatewayReplicaRecord, { gateway }: GatewayView): boolean {
  const place = { backend: backend ?? gateway.backend, region: gateway.region };
  const { owner, offersAreNodes } = capabilitiesOf(gatewayBackend(place));
  return owner === 'provider' && !offersAreNodes;
}

/** How long an unreachable host delays the end of its gateway (µs). */
const GIVE_UP = 120 * 1_000_000;
