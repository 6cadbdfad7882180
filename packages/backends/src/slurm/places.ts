/** Where the agent of a job finds its files. */

export interface AgentPlaces {
  /** Mounted from the cluster. */
  readonly programs: string;
  readonly job: string;
  /** Its own, on the node. */
  readonly run: string;
}

export const IN_CONTAINER: AgentPlaces = {
  programs: '/run/dstack-programs',
  job: '/run/dstack-job',
  run: '/run/dstack',
};

/** Below `/tmp`, where a job without a container has a folder of its own. */
export const ON_HOST: AgentPlaces = {
  programs: '/tmp/.dstack/programs',
  job: '/tmp/.dstack/job',
  run: '/tmp/.dstack/run',
};
