export { type KubernetesOptions, openKubernetes } from './kubernetes.ts';
