export { isAgentInstance } from './agent-instance.ts';
export type { LoginConnection } from './login.ts';
export { ClusterLogins } from './logins.ts';
export type { SlurmClusterConfig } from './partitions.ts';
export { ClusterProgramCopies } from './program-copies.ts';
export { openSlurm, type SlurmOptions } from './slurm.ts';
