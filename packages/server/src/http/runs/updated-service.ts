import type { RunSpec } from '@dstack/contract/wire';
import { changedRunFields, type RunRecord } from '@dstack/core';
import type { ProjectRecord } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';
import { servicePlace } from './service-spec.ts';

/** Changes of these change the address of a service or of its model. */
const ADDRESS = ['gateway', 'https', 'model'];

/**
 * The place of a service after an update in place; empty if it does not change. A gateway that became
 * the default meanwhile is used only if the update changes `gateway`. Throws `ApiError`.
 */
export async function updatedService(
  deps: HttpDeps,
  project: ProjectRecord,
  run: RunRecord,
  spec: RunSpec,
): Promise<Partial<Pick<RunRecord, 'serviceSpec' | 'gatewayId'>>> {
  const { configuration } = spec;
  if (configuration.type !== 'service') return {};
  const changed = changedRunFields(run.spec, spec);
  if (!ADDRESS.some((key) => changed.includes(`configuration.${key}`))) return {};
  const isKept = !changed.includes('configuration.gateway');
  const stays = isKept && run.gatewayId === null;
  const place = await servicePlace(
    deps,
    project,
    stays ? { ...configuration, gateway: false } : configuration,
  );
  const gatewayId = isKept ? run.gatewayId : place.gatewayId;
  return { serviceSpec: place.specOf(run.name), gatewayId };
}
