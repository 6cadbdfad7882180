import type { RunSpec } from '@dstack/contract/wire';
import { prepareRunSpec } from '@dstack/core';
import type { ProjectRecord, UserRecord } from '@dstack/store';
import { usableDefault } from '../gateways/usable-gateway.ts';
import type { HttpDeps } from '../ports.ts';
import { accepted } from '../spec-errors.ts';

/** The spec with the server's defaults, all its rules checked. Throws `ApiError`. */
export async function effectiveRunSpec(
  deps: HttpDeps,
  project: ProjectRecord,
  user: UserRecord,
  spec: RunSpec,
): Promise<RunSpec> {
  const mountsVolumes = spec.configuration.volumes.some((mount) => 'name' in mount);
  const volumes = mountsVolumes
    ? await deps.store.volumes.list({ projectIds: [project.id], onlyActive: true })
    : [];
  const prepared = prepareRunSpec(spec, {
    hasDefaultGateway: await hasDefaultGateway(deps, project, spec),
    userPublicKey: user.sshPublicKey,
    volumes: new Map(volumes.map(({ volume }) => [volume.name, volume])),
    settings: deps.settings.runSpecs,
  });
  return accepted(prepared).spec;
}

/** Reads the gateway only if the setting depends on it. */
async function hasDefaultGateway(
  deps: HttpDeps,
  project: ProjectRecord,
  { configuration }: RunSpec,
): Promise<boolean> {
  if (configuration.type !== 'service' || configuration.gateway !== null) return true;
  if (!deps.settings.runSpecs.forbidServicesWithoutGateway) return true;
  return (await usableDefault(deps, project)) !== null;
}
