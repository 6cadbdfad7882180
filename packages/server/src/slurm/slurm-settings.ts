import { isSet, type ProcessEnv } from '../environment.ts';

export interface SlurmServerSettings {
  /** Whether runs may do without a container (`DSTACK_SLURM_HOST_JOBS`). */
  readonly hostJobs: boolean;
}

export function slurmSettings(env: ProcessEnv): SlurmServerSettings {
  return { hostJobs: isSet(env, 'DSTACK_SLURM_HOST_JOBS') };
}
