export type { AgentProgram, AgentPrograms } from './delivery.ts';
export { type KubernetesOptions, type OpenedKubernetes, openKubernetes } from './kubernetes.ts';
