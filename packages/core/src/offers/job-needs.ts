/** Requirements of a job on the kind of its machine, beyond the size. */
export interface JobNeeds {
  readonly multinode: boolean;
  readonly privileged: boolean;
  readonly instanceMounts: boolean;
  readonly reservation: boolean;
  /** `docker: true`: a Docker daemon inside the job. */
  readonly dind: boolean;
  readonly namedVolumes: boolean;
  readonly registryAuth: boolean;
  /** The image is in a registry on the loopback of its host. Missing: it is not. */
  readonly loopbackImage?: true;
  /** Missing: its run has no such settings. */
  readonly slurm?: SlurmNeeds;
}

/** Settings that are compared with nodes; Slurm has the last word about all of them. */
export interface SlurmNeeds {
  readonly partition: string | null;
  readonly constraint: string | null;
  readonly qos: string | null;
}
