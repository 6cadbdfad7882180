export type { ClusterPrograms } from './cluster.ts';
export type { LoginConnection, LoginOutput } from './login.ts';
export type { SlurmClusterConfig } from './partitions.ts';
export { type SlurmOptions, slurmBackend } from './slurm.ts';
