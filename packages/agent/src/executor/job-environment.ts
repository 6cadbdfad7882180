import type { ClusterInfo, JobSpecForAgent } from '@dstack/contract/agent';

/** Paths inside the job that its environment names. */
export interface JobPlaces {
  readonly workingDir: string;
  readonly repoDir: string | null;
  readonly mpiHostfile: string;
  readonly noticeFile: string;
  readonly home: string;
}

const PROXIES = [
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
] as const;

/**
 * The variables of a job, which override those of its image or host, in the order of dstack 0.22.5:
 * those of dstack, then those of the run (which may override them), then HOME.
 */
export function jobEnvironment(
  spec: JobSpecForAgent,
  cluster: ClusterInfo | null,
  places: JobPlaces,
  gpuCount: number,
): Record<string, string> {
  const perNode = cluster?.gpus_per_job ?? gpuCount;
  const total = cluster?.gpus_per_node.reduce((sum, count) => sum + count, 0) ?? gpuCount;
  return {
    DSTACK_RUN_ID: spec.run_id,
    DSTACK_JOB_ID: spec.id,
    DSTACK_RUN_NAME: spec.run_name,
    ...(spec.repo_id === null ? {} : { DSTACK_REPO_ID: spec.repo_id }),
    ...(places.repoDir === null ? {} : { DSTACK_REPO_DIR: places.repoDir }),
    DSTACK_WORKING_DIR: places.workingDir,
    DSTACK_NODES_NUM: String(spec.jobs_per_replica),
    DSTACK_NODE_RANK: String(spec.job_num),
    DSTACK_NODES_IPS: cluster?.job_ips.join('\n') ?? '',
    DSTACK_MASTER_NODE_IP: cluster?.master_job_ip ?? '',
    DSTACK_GPUS_PER_NODE: String(perNode),
    DSTACK_GPUS_NUM: String(total),
    DSTACK_MPI_HOSTFILE: places.mpiHostfile,
    DSTACK_PREEMPTION_FILE: places.noticeFile,
    ...spec.env,
    HOME: places.home,
  };
}

/** The agent's proxy settings, which jobs inherit. */
export function proxyEnvironment(own: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    PROXIES.flatMap((name) => {
      const value = own[name];
      return value ? [[name, value]] : [];
    }),
  );
}

/** Exported shell functions break other shells, so jobs do not get them. */
export function isExportedFunction(name: string): boolean {
  return name.startsWith('BASH_FUNC_') && (name.endsWith('%%') || name.endsWith('()'));
}

/** The MPI host file: one line per node; empty if an address is unknown. */
export function mpiHostfile(cluster: ClusterInfo | null): string {
  if (!cluster || cluster.job_ips.some((ip) => ip === '')) return '';
  return cluster.job_ips
    .map((ip, node) => {
      const slots = cluster.gpus_per_node[node] ?? 0;
      return slots > 0 ? `${ip} slots=${slots}\n` : `${ip}\n`;
    })
    .join('');
}
