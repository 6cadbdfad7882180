import type { RunSpec } from '@dstack/contract/wire';
import { type ImageConfig, replicaGroups, SCRATCH_IMAGE } from '@dstack/core';
import { imageName, registryAuth } from '../../effects/agent-job-spec.ts';
import { JobSpecError } from '../../effects/named-secrets.ts';
import type { HttpDeps } from '../ports.ts';

/**
 * Known metadata of the run's own image, by group of a service; null = unknown, which is not an
 * error.
 */
export type KnownImages = (replicaGroup: string) => ImageConfig | null;

/** Requests the metadata from the registries, some of which may not answer. */
export async function knownImages(
  deps: Pick<HttpDeps, 'images' | 'store' | 'settings'>,
  projectId: string,
  spec: RunSpec,
): Promise<KnownImages> {
  const found = new Map<string, ImageConfig | null>();
  for (const group of replicaGroups(spec)) {
    const image = customImage(spec, group);
    if (image === null) continue;
    const auth = await registryAuthOf(deps, projectId, spec);
    const name = imageName({ image_name: image }, deps.settings.defaultRegistry);
    found.set(group, await deps.images.find(name, auth));
  }
  return (group) => found.get(group) ?? null;
}

function customImage({ configuration }: RunSpec, replicaGroup: string): string | null {
  const groups = configuration.type === 'service' ? configuration.groups : null;
  const group = groups?.find((one, index) => (one.name ?? String(index)) === replicaGroup);
  const image = group?.image ?? configuration.image ?? null;
  const isDocker = group?.docker ?? configuration.docker ?? false;
  return image === SCRATCH_IMAGE || isDocker ? null : image || null;
}

async function registryAuthOf(
  { store }: Pick<HttpDeps, 'store'>,
  projectId: string,
  { configuration }: RunSpec,
) {
  if (!configuration.registry_auth) return null;
  try {
    return registryAuth(configuration, await store.secrets.values(projectId));
  } catch (error) {
    // The secret may be created later than the run; then the run reports that it is missing.
    if (error instanceof JobSpecError) return null;
    throw error;
  }
}
