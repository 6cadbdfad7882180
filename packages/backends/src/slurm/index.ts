export { agentInstance, jobOfInstance } from './agent-instance.ts';
export type { ClusterPrograms } from './agent-program.ts';
export { agentToken, type DialOut } from './cluster.ts';
export { LOGIN_SHELL, type LoginConnection } from './login.ts';
export { LoginShells, type RemoteShell } from './login-shells.ts';
export type { SlurmClusterConfig } from './partitions.ts';
export { type OpenedSlurm, openSlurm, type SlurmOptions } from './slurm.ts';
export { secured } from './tunnels.ts';
