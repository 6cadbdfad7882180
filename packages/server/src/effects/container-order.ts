import type { ContainerOrder } from '@dstack/backends';
import { type InstanceRecord, isGang, type VolumeRecord } from '@dstack/core';
import type { JobView, Store } from '@dstack/store';
import { imageName, registryAuth } from './agent-job-spec.ts';

/**
 * The container that a backend has to run for the job of an instance; null for an instance without a
 * job. Throws `JobSpecError`.
 */
export async function containerOrder(
  store: Pick<Store, 'jobs' | 'secrets' | 'volumes'>,
  { provisioningJobId, projectId }: Pick<InstanceRecord, 'provisioningJobId' | 'projectId'>,
  defaultRegistry: string | null,
): Promise<ContainerOrder | null> {
  const view = provisioningJobId === null ? null : await store.jobs.byId(provisioningJobId);
  if (!view) return null;
  const { job, run, userName } = view;
  const { spec } = job;
  const volumes = [...(await store.volumes.ofJob(job.id))];
  return {
    ...{ jobName: job.name, runName: run.name, userName },
    image: imageName(spec, defaultRegistry),
    registryAuth: registryAuth(spec, await store.secrets.values(projectId)),
    user: requestedUser(view),
    privileged: spec.privileged,
    gang: isGang(job)
      ? { key: `${run.id}-${job.replicaNum}-${job.submissionNum}`, rank: job.jobNum }
      : null,
    needsAddress: isGang(job) || run.spec.configuration.type === 'service',
    resources: spec.requirements.resources,
    mounts: (spec.volumes ?? []).map((mount) =>
      'name' in mount
        ? { path: mount.path, instancePath: null, readOnly: isReadOnly(volumes.shift()) }
        : { path: mount.path, instancePath: mount.instance_path, readOnly: false },
    ),
    settings: run.spec.configuration.backend_settings ?? null,
  };
}

function isReadOnly(volume: VolumeRecord | undefined): boolean {
  const { configuration } = volume ?? {};
  return Boolean(configuration && 'read_only' in configuration && configuration.read_only);
}

/** The user of the image applies anyway where the container is the image's. */
function requestedUser({ job, run }: JobView) {
  return run.spec.configuration.user ? (job.spec.user ?? null) : null;
}
