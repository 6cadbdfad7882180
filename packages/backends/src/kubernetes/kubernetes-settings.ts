import { choiceVariable, integerVariable, type ProcessEnv, SettingsError } from '@dstack/contract';

export interface KubernetesServerSettings {
  /** The image that brings the agent into pods (`DSTACK_KUBERNETES_AGENT_IMAGE`); null = none. */
  readonly agentImage: string | null;
  /** Whether nodes mount that image (`DSTACK_KUBERNETES_AGENT_VOLUME`). */
  readonly mountsAgentImage: boolean;
  /** The claim that has the agent (`DSTACK_KUBERNETES_AGENT_CLAIM`); null = none. */
  readonly agentClaim: string | null;
  /** How long a pod may wait for a node (`DSTACK_KUBERNETES_SCHEDULE_SECONDS`). */
  readonly scheduleSeconds: number;
  /** The same while an autoscaler adds one (`DSTACK_KUBERNETES_SCALE_UP_SECONDS`). */
  readonly scaleUpSeconds: number;
}

export const KUBERNETES_VARIABLES = [
  'DSTACK_KUBERNETES_AGENT_CLAIM',
  'DSTACK_KUBERNETES_AGENT_IMAGE',
  'DSTACK_KUBERNETES_AGENT_VOLUME',
  'DSTACK_KUBERNETES_SCALE_UP_SECONDS',
  'DSTACK_KUBERNETES_SCHEDULE_SECONDS',
] as const;

const SCHEDULE_SECONDS = 10;
const SCALE_UP_SECONDS = 900;

export function kubernetesSettings(env: ProcessEnv): KubernetesServerSettings {
  const seconds = (name: string, fallback: number) => integerVariable(env, name, fallback);
  const agentImage = env.DSTACK_KUBERNETES_AGENT_IMAGE?.trim() || null;
  const mountsAgentImage =
    choiceVariable(env, 'DSTACK_KUBERNETES_AGENT_VOLUME', ['0', '1']) === '1';
  if (mountsAgentImage && agentImage === null) {
    throw new SettingsError(
      'DSTACK_KUBERNETES_AGENT_VOLUME is 1; DSTACK_KUBERNETES_AGENT_IMAGE must name the image of the agent',
    );
  }
  return {
    ...{ agentImage, mountsAgentImage },
    agentClaim: env.DSTACK_KUBERNETES_AGENT_CLAIM?.trim() || null,
    scheduleSeconds: seconds('DSTACK_KUBERNETES_SCHEDULE_SECONDS', SCHEDULE_SECONDS),
    scaleUpSeconds: seconds('DSTACK_KUBERNETES_SCALE_UP_SECONDS', SCALE_UP_SECONDS),
  };
}
