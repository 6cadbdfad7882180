import type { JobSpecForAgent } from '@dstack/contract/agent';
import { capabilitiesOf, type InstanceRecord } from '@dstack/core';

/**
 * A job whose container the backend has made: the backend has set image, limits, devices and mounts.
 * Jobs elsewhere are returned unchanged. `user`: only a name is left to the agent, which looks it up
 * in the image; a number is the user of the container already.
 */
export function containerJob(
  instance: Pick<InstanceRecord, 'backend'>,
  spec: JobSpecForAgent,
): JobSpecForAgent {
  if (!isJobContainer(instance)) return spec;
  return {
    ...spec,
    ...{ mounts: [], gpus: null, cpu_limit: null, memory_limit_bytes: null, shm_size_bytes: null },
    ...{ privileged: false, registry_auth: null, network_mode: 'bridge' },
    user: spec.user?.uid === null ? spec.user : null,
  };
}

/** Whether the machine of an instance is the container of its job. */
export function isJobContainer({ backend }: Pick<InstanceRecord, 'backend'>): boolean {
  return capabilitiesOf(backend).container;
}
