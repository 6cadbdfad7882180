import { integerVariable, type ProcessEnv } from '../environment.ts';

export interface KubernetesServerSettings {
  /** The image that brings the agent into pods (`DSTACK_KUBERNETES_AGENT_IMAGE`); null = none. */
  readonly agentImage: string | null;
  /** The claim that has the agent (`DSTACK_KUBERNETES_AGENT_CLAIM`); null = none. */
  readonly agentClaim: string | null;
  /** How long a pod may wait for a node (`DSTACK_KUBERNETES_SCHEDULE_SECONDS`). */
  readonly scheduleSeconds: number;
  /** The same while an autoscaler adds one (`DSTACK_KUBERNETES_SCALE_UP_SECONDS`). */
  readonly scaleUpSeconds: number;
}

const SCHEDULE_SECONDS = 10;
const SCALE_UP_SECONDS = 900;

export function kubernetesSettings(env: ProcessEnv): KubernetesServerSettings {
  const seconds = (name: string, fallback: number) => integerVariable(env, name, fallback);
  return {
    agentImage: env.DSTACK_KUBERNETES_AGENT_IMAGE?.trim() || null,
    agentClaim: env.DSTACK_KUBERNETES_AGENT_CLAIM?.trim() || null,
    scheduleSeconds: seconds('DSTACK_KUBERNETES_SCHEDULE_SECONDS', SCHEDULE_SECONDS),
    scaleUpSeconds: seconds('DSTACK_KUBERNETES_SCALE_UP_SECONDS', SCALE_UP_SECONDS),
  };
}
