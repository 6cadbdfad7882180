import type { RunSpec } from '@dstack/contract/wire';
import { changedRunFields, type RunRecord } from '@dstack/core';
import type { ProjectRecord } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';
import { type ServicePlace, servicePlace } from './service-spec.ts';

export interface UpdatedService {
  /** Called after `guard` has accepted the gateway. Throws `ApiError`. */
  readonly set: () => Partial<Pick<RunRecord, 'serviceSpec' | 'gatewayId'>>;
  readonly guard: ServicePlace['guard'];
}

const UNCHANGED: UpdatedService = { set: () => ({}), guard: null };

/** Changes of these change the address of a service or of its model. */
const ADDRESS = ['gateway', 'https', 'model', 'hosts'];

/**
 * The place of a service after an update in place, if it changes. A gateway that became
 * the default meanwhile is used only if the update changes `gateway`. Throws `ApiError`.
 */
export async function updatedService(
  deps: HttpDeps,
  project: ProjectRecord,
  run: RunRecord,
  spec: RunSpec,
): Promise<UpdatedService> {
  const { configuration } = spec;
  if (configuration.type !== 'service') return UNCHANGED;
  const changed = changedRunFields(run.spec, spec);
  if (!ADDRESS.some((key) => changed.includes(`configuration.${key}`))) return UNCHANGED;
  const isKept = !changed.includes('configuration.gateway');
  const stays = isKept && run.gatewayId === null;
  const place = await servicePlace(
    deps,
    project,
    stays ? { ...configuration, gateway: false } : configuration,
    { gatewayId: run.gatewayId, isKept, hosts: run.serviceSpec?.hosts ?? [] },
  );
  const gatewayId = isKept ? run.gatewayId : place.gatewayId;
  return {
    set: () => ({ serviceSpec: place.specOf(run.name), gatewayId }),
    guard: place.guard,
  };
}
