import { NoAnswerError } from '@dstack/backends';
import { isGatewayFailed } from '@dstack/contract/status';
import {
  BACKEND_MISSING,
  configuredBackendName,
  type GatewayReplicaRecord,
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
    // Only a host of the user has no answer for long: it is not waited for, and costs nothing here.
    if (effects.now() >= intent.createdAt + GIVE_UP) return { kind: 'ok' };
    throw new NotNow(error.message);
  }
  return { kind: 'ok' };
}

function whatEnds(replica: GatewayReplicaRecord, { gateway }: GatewayView) {
  if (gateway.toBeDeleted || isGatewayFailed(gateway.status)) return 'gateway';
  return replica.scaleIn ? 'replica' : 'machine';
}

/** How long an unreachable host delays the end of its gateway (µs). */
const GIVE_UP = 120 * 1_000_000;
