import { BusyError, NoAnswerError } from '@dstack/backends';
import { configuredBackendName, type IntentOf, type IntentResult } from '@dstack/core';
import { gatewayOrder } from '../../gateways/gateway-order.ts';
import type { EffectsOptions } from '../effects.ts';
import { NotNow } from '../not-now.ts';
import type { IntentDescriptor } from './descriptor.ts';
import { gatewayPlace, ON_GATEWAY } from './on-gateway.ts';

export const gatewayCreate: IntentDescriptor<'gateway.create'> = {
  ...ON_GATEWAY,
  kind: 'gateway.create',
  handle: create,
};

async function create(
  effects: EffectsOptions,
  intent: IntentOf<'gateway.create'>,
): Promise<IntentResult> {
  const place = await gatewayPlace(effects, intent);
  if (place === null) return refused('the gateway was deleted');
  const { replica, view, backend } = place;
  if (!backend?.gateways) {
    const name = configuredBackendName(view.gateway.backend);
    return refused(`This server cannot create gateways in backend ${name}`);
  }
  try {
    const project = await effects.store.projects.byId(view.gateway.projectId);
    const keys = project ? [project.sshPublicKey] : [];
    const order = gatewayOrder(effects.serverId, replica, view, keys);
    const handle = await backend.gateways.create({ ...order, key: intent.key });
    return { kind: 'gateway.created', handle };
  } catch (error) {
    const isLate = error instanceof NoAnswerError || error instanceof BusyError;
    throw isLate ? new NotNow(error.message) : error;
  }
}

function refused(message: string): IntentResult {
  return { kind: 'refused', reason: 'error', message };
}
