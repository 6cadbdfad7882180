import type { SlurmNeeds } from './slurm-limits.ts';

/** What a job needs of the kind of machine, beyond its size. */
export interface JobNeeds {
  readonly multinode: boolean;
  readonly privileged: boolean;
  readonly instanceMounts: boolean;
  readonly reservation: boolean;
  /** `docker: true`: a Docker daemon inside the job. */
  readonly dind: boolean;
  readonly namedVolumes: boolean;
  readonly registryAuth: boolean;
  /** Missing: its run has no such settings. */
  readonly slurm?: SlurmNeeds;
}
