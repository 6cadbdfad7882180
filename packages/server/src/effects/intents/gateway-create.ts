import { BusyError, NoAnswerError } from '@dstack/backends';
import { configuredBackendName, type IntentOf, type IntentResult } from '@dstack/core';
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
  const { gateway, projectName } = view;
  if (!backend?.gateways) {
    const name = configuredBackendName(gateway.backend);
    return refused(`This server cannot create gateways in backend ${name}`);
  }
  const { configuration } = gateway;
  try {
    const handle = await backend.gateways.create({
      key: intent.key,
      replicaId: replica.id,
      owner: {
        server: effects.serverId,
        project: projectName,
        instance: `${gateway.name}-${replica.replicaNum}`,
      },
      gateway: { id: gateway.id, name: gateway.name },
      domain: gateway.wildcardDomain,
      settings: configuration.backend_settings ?? null,
      region: configuration.region,
      instanceType: configuration.instance_type,
      isPublic: configuration.public_ip,
      authorizedKeys: [],
      tags: configuration.tags ?? {},
    });
    return { kind: 'gateway.created', handle };
  } catch (error) {
    const isLate = error instanceof NoAnswerError || error instanceof BusyError;
    throw isLate ? new NotNow(error.message) : error;
  }
}

function refused(message: string): IntentResult {
  return { kind: 'refused', reason: 'error', message };
}
